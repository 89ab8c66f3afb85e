"""Takes in the events that had come before their instances were known, once a discovery has brought those."""

from datetime import timedelta

import sqlalchemy as sa

from app.database import database_now, db
from app.models import Ec2Event, Instance
from app.models.types import EventOutcome
from app.services.events.order import find_moment, tell_announcement, tell_state
from app.services.events.parse import STATE_CHANGE, EventKind, event_from, place_of, state_of

#: What is older waits for an instance that no reading has shown since.
KEPT_WAITING = timedelta(days=1)


def settle_unknown(account_pk: int, region: str) -> int:
    """Tell what events told of a region's instances that have become known since; returns how many events.

    For the transaction that stores the region, after it has noted as of when the region was read: the account's row
    is locked, and what the reading knew better is stale.
    """
    now = database_now()
    waiting = db.session.scalars(
        sa.select(Ec2Event)
        .join(
            Instance, sa.and_(Instance.account_id == Ec2Event.account_id, Instance.instance_id == Ec2Event.instance_id)
        )
        .where(
            Ec2Event.account_id == account_pk,
            Ec2Event.region == region,
            Ec2Event.outcome == EventOutcome.UNKNOWN_INSTANCE,
            Ec2Event.occurred_at > now - KEPT_WAITING,
        )
    ).all()
    for kept in sorted(waiting, key=_place):
        moment = find_moment(account_pk, kept.instance_id)
        event = event_from(kept.payload)
        assert moment is not None
        if event.kind is EventKind.STATE:
            kept.outcome = tell_state(moment, kept.id, event.occurred_at, event.value, now)
        elif event.kind is not None:
            tell_announcement(moment, kept.id, event.kind, event.value, event.occurred_at, now)
            kept.outcome = EventOutcome.APPLIED
    db.session.flush()
    return len(waiting)


def _place(kept: Ec2Event) -> tuple[object, ...]:
    return place_of(kept.occurred_at, state_of(kept.payload) if kept.detail_type == STATE_CHANGE else "")
