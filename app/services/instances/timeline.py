"""Reading the history of instances: what has become different, told in steps that can be read."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.database import CLOCKS_APART, db
from app.models import Ec2Event, Instance, InstanceChange, Run
from app.models.types import ChangeKind
from app.services.paging import Page, Sort, count_capped, fetch_page

#: How many changes one page of an instance's history tells, and the page of a run.
PAGE_LENGTH = 50
RUN_LENGTH = 100

_ID_BITS_BELOW_MILLISECONDS = 22

#: What is told of is called what the rest of the page calls it.
LABELS = {
    "state": "State",
    "auth_status": "Authorization",
    "instance_type": "Type",
    "lifecycle": "Lifecycle",
    "name": "Name",
    "private_ip": "Private IP",
    "public_ip": "Public IP",
    "image_id": "Image",
    "usage_operation": "Billed as",
    "launched_at": "Last start",
    "IamInstanceProfileArn": "Instance profile",
    "Imds": "Instance metadata",
    "OperatedBy": "Managed by",
    "SecurityGroupIds": "Security group",
    "Tags": "Tag",
    "interruption": "Spot interruption warning",
    "rebalance": "Rebalance recommendation",
}
IMDS = {"required": "IMDSv2 only", "optional": "IMDSv1 allowed", "disabled": "switched off"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that became different; empty text where there was nothing before, or is nothing after."""

    kind: ChangeKind
    field: str
    label: str
    before: str
    after: str
    happened_at: datetime | None
    """When, where AWS says so."""

    note: str = ""
    """Why, where somebody or something decided it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What was learned of an instance at once."""

    seen_at: datetime
    run_id: int | None
    """The run that found it, where the ledger still has it."""

    event: str
    """What kind of event told of it, in EventBridge's words; empty where none did."""

    steps: Sequence[Step]

    @property
    def is_observed(self) -> bool:
        """Whether AWS has shown any of it; what somebody here has decided, nobody has seen."""
        return any(step.field != "auth_status" for step in self.steps)


def list_timeline(instance: Instance, cursor: str | None = None, *, field: str | None = None) -> Page[Moment]:
    """The history of an instance, or of one field of it, newest first; `total` counts changes. In at most four
    statements.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    matching = sa.select(InstanceChange.id).where(InstanceChange.instance_pk == instance.id)
    if field is not None:
        matching = matching.where(InstanceChange.field == field)
    shown = sa.select(InstanceChange, InstanceChange.id)
    page = fetch_page(
        matching, shown, Sort(InstanceChange.id, InstanceChange.id, is_descending=True), cursor, size=PAGE_LENGTH
    )
    return replace(page, items=list(_moments([row.InstanceChange for row in page.items])))


@dataclass(frozen=True, slots=True)
class RunChange:
    """One change that a run found, and whose it is."""

    instance_pk: int
    instance_id: str
    name: str
    steps: Sequence[Step]


def list_run_changes(run: Run) -> tuple[list[RunChange], int, bool]:
    """The first changes that a run wrote, in their order; how many there are in all, and whether there are more
    than were counted."""
    first, last = _ids_of(run)
    conditions = [
        InstanceChange.account_id == run.account_id,
        # A range of the index: the history of a large account is long.
        InstanceChange.id.between(first, last),
        InstanceChange.run_id == run.id,
    ]
    total, is_capped = count_capped(sa.select(InstanceChange.id).where(*conditions))
    rows = db.session.execute(
        sa.select(InstanceChange, Instance.instance_id, Instance.name)
        .join(Instance, Instance.id == InstanceChange.instance_pk)
        .where(*conditions)
        .order_by(InstanceChange.id)
        .limit(RUN_LENGTH)
    )
    changes = [
        RunChange(change.instance_pk, instance_id, name, list(steps_of(change))) for change, instance_id, name in rows
    ]
    return changes, total, is_capped


def _ids_of(run: Run) -> tuple[int, int]:
    """Between which ids the rows are that were written while the run was at work."""
    apart = int(CLOCKS_APART / timedelta(milliseconds=1)) << _ID_BITS_BELOW_MILLISECONDS
    if run.finished_at is None:
        return run.id - apart, 2**63 - 1
    lasted = int((run.finished_at - run.created_at) / timedelta(milliseconds=1)) << _ID_BITS_BELOW_MILLISECONDS
    return run.id - apart, run.id + lasted + apart


def _moments(changes: Sequence[InstanceChange]) -> Iterator[Moment]:
    run_ids = {change.run_id for change in changes} - {None}
    kept = set(db.session.scalars(sa.select(Run.id).where(Run.id.in_(run_ids))))
    event_pks = {change.event_pk for change in changes} - {None}
    kinds = sa.select(Ec2Event.id, Ec2Event.detail_type).where(Ec2Event.id.in_(event_pks))
    events = {event_pk: kind for event_pk, kind in db.session.execute(kinds)}  # noqa: C416 - a Row is no pair to dict()
    together = itertools.groupby(changes, key=lambda change: (change.seen_at, change.run_id, change.event_pk))
    for (seen_at, run_id, event_pk), group in together:
        yield Moment(
            seen_at=seen_at,
            run_id=run_id if run_id in kept else None,
            # The event itself may be forgotten by now.
            event=events.get(event_pk, "EC2 event") if event_pk else "",
            # In the order in which they were written: the state first.
            steps=[step for change in reversed(list(group)) for step in steps_of(change)],
        )


def steps_of(change: InstanceChange) -> Iterator[Step]:
    """A change of tags or groups is one step for each of them; everything else is one step."""
    before, after = change.before, change.after
    if change.field == "Tags" and isinstance(before or {}, Mapping) and isinstance(after or {}, Mapping):
        before, after = before or {}, after or {}
        for key in sorted(before.keys() | after.keys()):
            # An empty value is one, and differs from none.
            yield _step(change, f"Tag {key}", *(f"“{own[key]}”" if key in own else "" for own in (before, after)))
    elif change.field == "SecurityGroupIds" and isinstance(before or [], list) and isinstance(after or [], list):
        before, after = set(map(str, before or [])), set(map(str, after or []))
        for group in sorted(before ^ after):
            yield _step(change, LABELS[change.field], group if group in before else "", group if group in after else "")
    else:
        words = IMDS if change.field == "Imds" else {}
        label = LABELS.get(change.field, change.field)
        yield _step(change, label, *(words.get(text, text) for text in (_text(before), _text(after))))


def _step(change: InstanceChange, label: str, before: str, after: str) -> Step:
    return Step(change.kind, change.field, label, before, after, change.happened_at, change.note or "")


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
