"""Takes one event in: keeps it, and changes the instance and its history where it tells something new."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.database import database_now, db
from app.errors import ForbiddenError, NotFoundError
from app.models import Account, Ec2Event
from app.models.types import EventOutcome, RunKind
from app.services import runs
from app.services.events.order import find_moment, tell_announcement, tell_state
from app.services.events.parse import Event, EventError, EventKind

#: AWS refuses signatures that are further off; an event from later than this would outdo all that follow.
MAX_AHEAD = timedelta(minutes=15)

#: So long after the last try at the account, and not sooner, instances that nobody knew of make it be read again.
DISCOVERY_GAP = timedelta(seconds=60)

#: The instance is about to be gone: the next discovery of the schedule is soon enough.
ENDING = frozenset({"shutting-down", "terminated"})


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an event."""

    outcome: EventOutcome
    is_duplicate: bool = False


def take_event(account_pk: int, event: Event) -> Taken:
    """Take in an event that came with the account's own credential, in the current transaction.

    The same event twice changes nothing; in whatever order events come, what they leave is the same. Ends by flushing:
    commit at once, for the account's row is locked.

    Raises:
        EventError: it says that it happens in the future.
        ForbiddenError: it is of another account than the one whose credential it came with; nothing was kept.
        NotFoundError: the account was disconnected meanwhile.
    """
    # The account's row first, as everybody does who changes its instances.
    account = db.session.scalar(
        sa.select(Account).where(Account.id == account_pk).with_for_update().execution_options(populate_existing=True)
    )
    if account is None:
        raise NotFoundError("The account was disconnected.")
    if event.account_id != account.account_id:
        raise ForbiddenError("This event is of another AWS account than the token.")
    before = db.session.scalar(
        sa.select(Ec2Event.outcome).where(Ec2Event.account_id == account_pk, Ec2Event.event_id == event.event_id)
    )
    if before is not None:
        return Taken(before, is_duplicate=True)
    now = database_now()
    if event.occurred_at > now + MAX_AHEAD:
        raise EventError("The event's “time” lies in the future.")
    kept = Ec2Event(
        account_id=account_pk,
        event_id=event.event_id,
        detail_type=event.detail_type,
        region=event.region,
        instance_id=event.instance_id,
        occurred_at=event.occurred_at,
        received_at=now,
        # Until it is known; the state changes among which it stands are found by it.
        outcome=EventOutcome.IGNORED if event.kind is None else EventOutcome.UNCHANGED,
        payload=event.payload,
    )
    db.session.add(kept)
    db.session.flush()
    kept.outcome = _apply(account, kept.id, event, now)
    # Not through the object: an event is no change of the account that anybody made.
    db.session.execute(
        sa.update(Account)
        .where(Account.id == account_pk)
        .values(event_at=now, updated_at=Account.updated_at)
        .execution_options(synchronize_session=False)
    )
    db.session.flush()
    return Taken(kept.outcome)


def _apply(account: Account, event_pk: int, event: Event, now: datetime) -> EventOutcome:
    if event.kind is None:
        return EventOutcome.IGNORED
    moment = find_moment(account.id, event.instance_id)
    if moment is None:
        if event.value not in ENDING:
            _request_discovery(account, now)
        return EventOutcome.UNKNOWN_INSTANCE
    if event.kind is EventKind.STATE:
        return tell_state(moment, event_pk, event.occurred_at, event.value, now)
    tell_announcement(moment, event_pk, event.kind, event.value, event.occurred_at, now)
    return EventOutcome.APPLIED


def _request_discovery(account: Account, now: datetime) -> None:
    """Have the account read, so that what is new there becomes known; many such events are one discovery."""
    if not account.is_working:
        return
    earliest = account.last_tried_at + DISCOVERY_GAP if account.last_tried_at else now
    runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=account, in_seconds=max((earliest - now).total_seconds(), 0))
