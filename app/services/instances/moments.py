"""What an instance was at a moment, rebuilt from what it is now and from what has changed since; pure.

Backwards from the present, because the present is known whole: history needs to reach no farther back than the moment
that is asked for. A change counts from when AWS says that it happened; where AWS does not say, from when a discovery
or an event told of it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from app.models import Instance
from app.models.instance_change import FACTS, FIELDS, TAGS
from app.models.types import ChangeKind

#: (a name of FIELDS or FACTS, "") or (TAGS, the tag's key).
Key = tuple[str, str]

#: What an instance is or was, as far as history tells of such things. A tag that is not there has no key.
Portrait = Mapping[Key, Any]


class Change(Protocol):
    """A row of `instance_changes`."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> ChangeKind: ...
    @property
    def field(self) -> str: ...
    @property
    def before(self) -> Any: ...
    @property
    def after(self) -> Any: ...
    @property
    def seen_at(self) -> datetime: ...
    @property
    def happened_at(self) -> datetime | None: ...


def portrait_of(instance: Instance) -> dict[Key, Any]:
    """What the instance is now."""
    metadata = instance.instance_metadata
    fields = {(name, ""): getattr(instance, name) for name in FIELDS}
    facts = {(name, ""): metadata.get(name) for name in FACTS}
    tags = {(TAGS, key): value for key, value in (metadata.get(TAGS) or {}).items() if key != "Name"}
    return fields | facts | tags


def rebuild(present: Portrait, changes: Iterable[Change], moment: datetime) -> dict[Key, Any]:
    """What it was then: every change that came later is taken back, the last one first.

    `changes` may be all of the instance's or only those that came later; ids are in the order in which they happened.
    For a moment before the instance was first seen the answer means nothing.
    """
    was = dict(present)
    for change in sorted(changes, key=lambda change: change.id, reverse=True):
        if told_at(change) > moment:
            _take_back(was, change)
    return was


def told_at(change: Change) -> datetime:
    """From when on a change counts. What an instance was before it was first seen, nobody knows."""
    if change.kind is ChangeKind.APPEARED:
        return change.seen_at
    return change.happened_at or change.seen_at


def _take_back(was: dict[Key, Any], change: Change) -> None:
    if change.kind is ChangeKind.APPEARED:
        return
    if change.field == TAGS:
        # Either holds only the tags that differ.
        before, after = change.before or {}, change.after or {}
        for key in before.keys() | after.keys():
            _put(was, (TAGS, key), before.get(key))
    elif (change.field, "") in was:
        was[change.field, ""] = change.before


def _put(portrait: dict[Key, Any], key: Key, value: Any) -> None:
    if value is None and key[0] == TAGS:
        portrait.pop(key, None)
    else:
        portrait[key] = value
