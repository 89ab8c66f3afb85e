"""What the list of instances can be narrowed to: read from an address, and written into one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa

from app.models import Instance, InstanceTag
from app.models.types import AuthStatus

#: A prefix ends before the last character there is.
LAST = "\U0010ffff"

#: Longer values can match nothing that is stored.
MAX_LENGTH = 300
MAX_VALUES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilters:
    """Within a field any of the values may match; every field that has values must."""

    account: tuple[str, ...] = ()
    """`accounts.id`, as text: an address may hold anything."""
    region: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    lifecycle: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    auth_status: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    """`key=value`, or a key alone."""
    q: tuple[str, ...] = ()
    """The search box: ids, names, addresses and tag values, whole or by their beginning."""

    @classmethod
    def parse(cls, params: Mapping[str, Sequence[str]]) -> "InstanceFilters":
        """Take the known names; what is empty, too long or not text that a database takes is left out."""
        return cls(**{field.name: tuple(_clean(params.get(field.name, ()))) for field in fields(cls)})

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every filter as (name, value), in the order of the page."""
        for field in fields(self):
            for value in getattr(self, field.name):
                yield field.name, value

    def without(self, name: str, value: str) -> "InstanceFilters":
        """The same without one value."""
        return replace(self, **{name: tuple(item for item in getattr(self, name) if item != value)})

    def to_params(self) -> dict[str, list[str]]:
        """For `url_for`: only the names that have values."""
        return {field.name: list(getattr(self, field.name)) for field in fields(self) if getattr(self, field.name)}

    def __bool__(self) -> bool:
        return any(True for _ in self.pairs())

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """The conditions on `instances`, each served by an index."""
        if self.account:
            numbers = [int(value) for value in self.account if value.isascii() and value.isdigit() and len(value) < 19]
            yield Instance.account_id.in_(numbers)
        for column, values in (
            (Instance.region, self.region),
            (Instance.state, self.state),
            (Instance.lifecycle, self.lifecycle),
            (Instance.instance_type, self.type),
        ):
            if values:
                yield column.in_(values)
        if self.auth_status:
            known = [status for status in AuthStatus if status.value in self.auth_status]
            yield Instance.auth_status.in_(known)
        if self.tag:
            yield sa.or_(*(has_tag(text) for text in self.tag))
        for text in self.q:
            yield matches(text)


def has_tag(text: str) -> sa.ColumnElement[bool]:
    """`key=value` is exact on both sides; a key alone asks whether it is there."""
    key, separator, value = text.partition("=")
    return _tagged(InstanceTag.key == key, *([InstanceTag.value == value] if separator else []))


def matches(text: str) -> sa.ColumnElement[bool]:
    """The search box: the beginning of an id, name, address or tag value, or a whole `key=value`."""
    conditions: list[Any] = [
        begins(Instance.instance_id, text.lower()),
        begins(Instance.name_key, text.casefold()),
        begins(Instance.private_ip, text),
        begins(Instance.public_ip, text),
        _tagged(begins(InstanceTag.value, text)),
    ]
    if "=" in text:
        conditions.append(has_tag(text))
    return sa.or_(*conditions)


def begins(column: Any, text: str) -> sa.ColumnElement[bool]:
    """A prefix as a range, which an index serves on every database; LIKE only on some, and it knows wildcards."""
    return sa.and_(column >= text, column < text + LAST)


def _tagged(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return Instance.id.in_(sa.select(InstanceTag.instance_pk).where(*conditions))


def _clean(values: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for value in values[:MAX_VALUES]:
        text = value.strip()
        is_text = "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
        if text and is_text and len(text) <= MAX_LENGTH and text not in seen:
            seen.add(text)
            yield text
