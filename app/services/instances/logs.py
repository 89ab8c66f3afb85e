"""What the logs hold about one instance: decisions of the advisor, and its downtime."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Downtime, Experiment, Instance

#: The page of an instance shows the latest; the logs have pages of their own.
SHOWN = 10


def list_decisions(instance: Instance) -> Sequence[Any]:
    """Its latest decisions, newest first, and perhaps one more than are shown."""
    return db.session.execute(
        sa.select(
            Experiment.id,
            Experiment.decided_at,
            Experiment.decision,
            Experiment.reason,
            Experiment.hourly_saving,
            Experiment.currency,
        )
        .where(Experiment.instance_pk == instance.id)
        .order_by(Experiment.decided_at.desc(), Experiment.id.desc())
        .limit(SHOWN + 1)
    ).all()


def list_downtime(instance: Instance) -> Sequence[Any]:
    """Its latest intervals of downtime, latest start first, and perhaps one more than are shown."""
    return db.session.execute(
        sa.select(Downtime.id, Downtime.started_at, Downtime.ended_at, Downtime.cause, Downtime.is_planned)
        .where(Downtime.instance_pk == instance.id)
        .order_by(Downtime.started_at.desc(), Downtime.id.desc())
        .limit(SHOWN + 1)
    ).all()
