"""What has become different about an instance, as rows of its history; pure.

Only what somebody would want to know of counts. The rest of an instance's description is stored as it is and makes no
history: AWS's bookkeeping changes more often than instances do.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from app.aws.records import InstanceRecord
from app.models.instance import MISSING
from app.models.instance_change import FACTS, FIELDS, TAGS
from app.models.types import ChangeKind

#: States in which an instance is on its way up.
STARTING = frozenset({"pending", "running"})


class Difference(NamedTuple):
    """One row of `instance_changes`, before it knows whose it is."""

    kind: ChangeKind
    field: str
    before: Any
    after: Any
    happened_at: datetime | None
    """None where AWS does not say."""


def appearance(record: InstanceRecord) -> Difference:
    """The first row of every instance."""
    return Difference(ChangeKind.APPEARED, "state", None, record.state, record.first_launched_at)


def differences(before: Mapping[str, Any], record: InstanceRecord) -> Iterator[Difference]:
    """How a record differs from what is stored: `before` has FIELDS, launched_at, state_changed_at and
    instance_metadata."""
    for field in FIELDS:
        old, new = before[field], getattr(record, field)
        if old == new:
            continue
        if field == "state":
            kind = ChangeKind.RETURNED if old == MISSING else ChangeKind.CHANGED
            yield Difference(kind, field, old, new, _moment(before, record))
        else:
            yield Difference(ChangeKind.CHANGED, field, old, new, None)
    if before["state"] == record.state and before["launched_at"] != record.launched_at:
        # It was stopped and started again between two readings, and looks as it did.
        yield _restart(before["launched_at"], record)
    facts, known = orjson.loads(record.metadata), before["instance_metadata"]
    for name in FACTS:
        if known.get(name) != facts.get(name):
            yield Difference(ChangeKind.CHANGED, name, known.get(name), facts.get(name), None)
    old_tags, new_tags = _without_name(known.get("Tags") or {}), _without_name(record.tags)
    if old_tags != new_tags:
        differing = {key for key in old_tags.keys() | new_tags.keys() if old_tags.get(key) != new_tags.get(key)}
        yield Difference(ChangeKind.CHANGED, TAGS, _only(old_tags, differing), _only(new_tags, differing), None)


def _restart(last: datetime | None, record: InstanceRecord) -> Difference:
    told = (last and last.isoformat(), record.launched_at and record.launched_at.isoformat())
    return Difference(ChangeKind.CHANGED, "launched_at", *told, record.launched_at)


def _moment(before: Mapping[str, Any], record: InstanceRecord) -> datetime | None:
    """When the state changed: AWS says it of a start (the launch time) and of most ends, and of nothing in between."""
    if record.state in STARTING:
        return record.launched_at if record.launched_at != before["launched_at"] else None
    return record.state_changed_at if record.state_changed_at != before["state_changed_at"] else None


def _without_name(tags: Mapping[str, str]) -> dict[str, str]:
    """The tag `Name` is the field `name`."""
    return {key: value for key, value in tags.items() if key != "Name"}


def _only(tags: Mapping[str, str], keys: set[str]) -> dict[str, str]:
    return {key: tags[key] for key in sorted(keys) if key in tags}
