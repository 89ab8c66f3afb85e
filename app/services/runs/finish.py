"""Ends a run, or this worker's part in it: finished, handed back, or canceled."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.database import database_now, db, own_transaction, retry_transient
from app.errors import ConflictError, LeaseLostError, NotFoundError
from app.models import Run, User
from app.models.types import RunState
from app.services.runs.lease import Lease, update_one
from app.services.runs.listing import visible_runs
from app.services.runs.locks import release_lock
from app.services.runs.outcome import Outcome
from app.services.runs.wakes import Wake, wake_after_commit


def finish(lease: Lease, outcome: Outcome, *, session: Session | None = None) -> None:
    """Write the outcome in the current transaction, with the handler's last writes: both are kept, or neither.

    Raises:
        LeaseLostError: the run was taken over, handed back or canceled meanwhile. Roll back.
    """
    session = session or db.session()
    now = database_now(session)
    values: dict[str, Any] = {"state": outcome.state, "token": None, "lease_until": None, "summary": outcome.summary}
    if outcome.state == RunState.QUEUED:
        values |= {"due_at": now + timedelta(seconds=outcome.in_seconds), "progress_text": outcome.message[:200]}
        if not outcome.is_attempt:
            values["attempt"] = Run.attempt - 1
    else:
        values |= {
            "active_key": None,
            "finished_at": now,
            "error_code": outcome.code,
            "error_message": outcome.message[:4000],
        }
    mine = (Run.id == lease.run_id, Run.token == lease.token, Run.state == RunState.RUNNING)
    if not update_one(session, sa.update(Run).where(*mine).values(values)):
        raise LeaseLostError(f"Run {lease.run_id} is no longer ours")
    if outcome.state == RunState.QUEUED and outcome.in_seconds <= 0:
        wake_after_commit(session, Wake(lease.run_id, lease.requested_by_id is not None))
    if lease.account_pk is not None:
        release_lock(session, lease.account_pk, lease.token, now)


def cancel_run(*, viewer: User, run_id: int) -> Run:
    """Cancel a queued or running run that the viewer may see; its worker notices at its next write.

    Raises:
        NotFoundError: there is none, or it is not the viewer's to see.
        ConflictError: it is over already.
    """
    session = db.session()
    query = visible_runs(viewer).where(Run.id == run_id).with_for_update(of=Run)
    run = session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if run is None:
        raise NotFoundError("There is no such job")
    if run.state.is_over:
        raise ConflictError("This job is over already")
    now = database_now(session)
    if run.account_id is not None and run.token is not None:
        release_lock(session, run.account_id, run.token, now)
    run.state = RunState.CANCELED
    run.active_key = run.token = run.lease_until = None
    run.finished_at = now
    session.flush()
    return run


@retry_transient
def hand_back(worker: str) -> int:
    """Queue again, in an own transaction, whatever this worker still has; returns how many runs.

    For a worker that is told to stop: from here on its writes are refused, and being stopped is not an attempt.
    """
    with own_transaction() as session:
        now = database_now(session)
        mine = (Run.worker == worker, Run.state == RunState.RUNNING)
        runs = session.scalars(sa.select(Run).where(*mine).order_by(Run.id).with_for_update()).all()
        for run in runs:
            if run.account_id is not None and run.token is not None:
                release_lock(session, run.account_id, run.token, now)
            run.state = RunState.QUEUED
            run.token = run.lease_until = None
            run.due_at = now
            run.attempt -= 1
            wake_after_commit(session, Wake(run.id, run.requested_by_id is not None))
        return len(runs)
