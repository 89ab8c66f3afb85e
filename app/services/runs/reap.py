"""Finds what should be at work and is not: messages get lost, brokers and workers die."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.database import database_now, db
from app.models import Run
from app.models.types import RunState
from app.services.runs.claim import is_claimable
from app.services.runs.fair_share import IS_DOUBTFUL
from app.services.runs.wakes import Wake


def reap(*, limit: int = 100, session: Session | None = None) -> list[Wake]:
    """The runs to ring for: queued and due, or running with an ended lease; people's first, then the longest due,
    and last those whose accounts did not answer.

    Only reads: a run changes hands when a worker claims it, not before.
    """
    session = session or db.session()
    query = (
        sa.select(Run.id, Run.requested_by_id)
        .where(is_claimable(database_now(session)))
        .order_by(Run.requested_by_id.is_(None), IS_DOUBTFUL, Run.due_at, Run.id)
        .limit(limit)
    )
    return [Wake(run_id, requested_by_id is not None) for run_id, requested_by_id in session.execute(query)]


def find_urgent_run(*, session: Session | None = None) -> int | None:
    """The id of the run that a person has been waiting for longest, if any."""
    session = session or db.session()
    return session.scalar(
        sa.select(Run.id)
        .where(Run.state == RunState.QUEUED, Run.due_at <= database_now(session), Run.requested_by_id.is_not(None))
        .order_by(Run.due_at, Run.id)
        .limit(1)
    )
