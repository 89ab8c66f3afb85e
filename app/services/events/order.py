"""Puts the state changes that events tell of an instance into their order, whatever the order they came in.

Three sources say what an instance's state is: complete readings, which are as of the moment they began; events that
were taken in; and the event at hand. The latest wins. What an earlier one told is still put where it belongs in the
history, unless a reading has told of the time since.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from app.database import db
from app.models import Ec2Event, Instance, InstanceChange, RegionScan
from app.models.instance import MISSING, TERMINATED
from app.models.types import ChangeKind, EventOutcome
from app.services.events.parse import STATE_CHANGE, EventKind, place_of, state_of
from app.services.instances.history import forget_change, note_changes
from app.services.instances.tallies import move_tallies

FIELD = EventKind.STATE.value


@dataclass(frozen=True, slots=True)
class Moment:
    """An instance as it is stored, under its account's lock."""

    account_pk: int
    instance_pk: int
    instance_id: str
    region: str
    state: str


class Told(NamedTuple):
    """A state change as an event told it."""

    event_pk: int
    occurred_at: datetime
    state: str

    @property
    def place(self) -> tuple[datetime, int, str]:
        return place_of(self.occurred_at, self.state)


def find_moment(account_pk: int, instance_id: str) -> Moment | None:
    """The instance as it stands now, or None where it was never discovered."""
    row = db.session.execute(
        sa.select(Instance.id, Instance.region, Instance.state).where(
            Instance.account_id == account_pk, Instance.instance_id == instance_id
        )
    ).one_or_none()
    return None if row is None else Moment(account_pk, row.id, instance_id, row.region, row.state)


def tell_announcement(
    moment: Moment, event_pk: int, kind: EventKind, action: str, occurred_at: datetime, now: datetime
) -> None:
    """Put what AWS announces into the instance's history. Nothing about the instance has changed by it, and none
    comes too late: the history is true of any time."""
    note_changes(
        moment.account_pk,
        [(moment.instance_pk, (ChangeKind.CHANGED, kind.value, None, action, occurred_at))],
        seen_at=now,
        event_pk=event_pk,
    )


def tell_state(moment: Moment, event_pk: int, occurred_at: datetime, state: str, now: datetime) -> EventOutcome:
    """Take in one state change; its event is stored already, and the account's row is locked."""
    own = Told(event_pk, occurred_at, state)
    read_at = _read_at(moment)
    if read_at is not None and occurred_at < read_at and not _explains_absence(moment, state):
        return EventOutcome.STALE
    told = _told_since(moment, min(occurred_at, read_at or occurred_at))
    if own.place >= max(one.place for one in told):
        if state == moment.state:
            return EventOutcome.UNCHANGED
        _write_history(moment, own, moment.state, now)
        _write_state(moment, own)
        return EventOutcome.APPLIED
    if not _discovery_told_since(moment, told[0].occurred_at):
        _retell(moment, told, now)
    return EventOutcome.STALE


def _read_at(moment: Moment) -> datetime | None:
    """As of when the last complete reading speaks, in whole seconds: the time of an event has no parts of one."""
    last_read_at = db.session.scalar(
        sa.select(RegionScan.last_read_at).where(
            RegionScan.account_id == moment.account_pk, RegionScan.region == moment.region
        )
    )
    return last_read_at.replace(microsecond=0) if last_read_at else None


def _explains_absence(moment: Moment, state: str) -> bool:
    """A reading that did not show the instance is not contradicted by the event that tells why."""
    return moment.state == MISSING and state == TERMINATED


def _told_since(moment: Moment, since: datetime) -> list[Told]:
    """All state changes of the instance that events told of, from then on and in their order."""
    rows = db.session.execute(
        sa.select(Ec2Event.id, Ec2Event.occurred_at, Ec2Event.payload).where(
            Ec2Event.account_id == moment.account_pk,
            Ec2Event.instance_id == moment.instance_id,
            Ec2Event.occurred_at >= since,
            Ec2Event.detail_type == STATE_CHANGE,
            Ec2Event.outcome != EventOutcome.IGNORED,
        )
    )
    return sorted((Told(row.id, row.occurred_at, state_of(row.payload)) for row in rows), key=lambda told: told.place)


def _discovery_told_since(moment: Moment, since: datetime) -> bool:
    """Whether a reading has told of a change of state meanwhile: its word stands, and is not told twice."""
    query = sa.select(InstanceChange.id).where(
        InstanceChange.instance_pk == moment.instance_pk,
        InstanceChange.field == FIELD,
        InstanceChange.event_pk.is_(None),
        InstanceChange.seen_at >= since,
    )
    return db.session.scalar(query.limit(1)) is not None


def _retell(moment: Moment, told: Sequence[Told], now: datetime) -> None:
    """Make history and state what they were if these events had come in their order."""
    query = sa.select(InstanceChange).where(
        InstanceChange.instance_pk == moment.instance_pk,
        InstanceChange.field == FIELD,
        InstanceChange.event_pk.in_([one.event_pk for one in told]),
    )
    written = {row.event_pk: row for row in db.session.scalars(query)}
    # Before the first that changed anything the state was what it says; where none did, it is what it was.
    state = next((written[one.event_pk].before for one in told if one.event_pk in written), moment.state)
    due: list[tuple[Told, str]] = []
    for one in told:
        if one.state != state:
            due.append((one, state))
            state = one.state
    # Written anew, all of them, so that their ids are in the same order as what they tell.
    seen_at = {event_pk: row.seen_at for event_pk, row in written.items()}
    for row in written.values():
        forget_change(row)
    db.session.flush()
    for one, before in due:
        _write_history(moment, one, before, seen_at.get(one.event_pk, now))
    if due:
        _write_state(moment, due[-1][0])


def _write_history(moment: Moment, told: Told, before: str, seen_at: datetime) -> None:
    note_changes(
        moment.account_pk,
        [(moment.instance_pk, (kind_of(before, told.state), FIELD, before, told.state, told.occurred_at))],
        seen_at=seen_at,
        event_pk=told.event_pk,
    )


def kind_of(before: str, after: str) -> ChangeKind:
    """What the history calls a change of state."""
    return ChangeKind.RETURNED if before == MISSING and after != TERMINATED else ChangeKind.CHANGED


def _write_state(moment: Moment, told: Told) -> None:
    values: dict[str, object] = {"state_changed_at": told.occurred_at}
    if told.state != moment.state:
        # The reason is the former state's, and the hashes are of what was stored before: the next reading compares
        # field by field, and brings what an event does not tell.
        values |= {"state": told.state, "missing_since": None, "state_reason_code": "", "state_reason": ""}
        values |= {"raw_hash": "", "content_hash": ""}
    db.session.execute(
        sa.update(Instance)
        .where(Instance.id == moment.instance_pk)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if told.state != moment.state:
        move_tallies(moment.account_pk, moment.instance_pk, from_state=moment.state)
