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
MAX_SEARCHES = 3
MAX_SPLITS = 4
MAX_ID = 2**63 - 1


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

    def narrow(self, query: Any) -> Any:
        """The query on `instances` with these conditions, each of them served by an index."""
        if self.account:
            query = query.where(Instance.account_id.in_([id_ for id_ in map(as_id, self.account) if id_ is not None]))
        for column, values in (
            (Instance.region, self.region),
            (Instance.state, self.state),
            (Instance.lifecycle, self.lifecycle),
            (Instance.instance_type, self.type),
        ):
            if values:
                query = query.where(column.in_(values))
        if self.auth_status:
            known = [status for status in AuthStatus if status.value in self.auth_status]
            query = query.where(Instance.auth_status.in_(known))
        if self.tag:
            carriers = sa.select(InstanceTag.instance_pk).where(sa.or_(*map(has_tag, self.tag)))
            query = query.where(Instance.id.in_(carriers))
        for text in self.q[:MAX_SEARCHES]:
            hits = search(text).subquery()
            query = query.join(hits, hits.c.id == Instance.id)
        return query


def as_id(text: str) -> int | None:
    """A row's id; None for what cannot be one."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and int(text) <= MAX_ID else None


def has_tag(text: str) -> sa.ColumnElement[bool]:
    """`key=value` is exact on both sides; a key alone asks whether it is there. A key may hold `=`, too."""
    splits = [at for at, character in enumerate(text) if character == "="][:MAX_SPLITS]
    exact = [sa.and_(InstanceTag.key == text[:at], InstanceTag.value == text[at + 1 :]) for at in splits]
    return sa.or_(InstanceTag.key == text, *exact)


def search(text: str) -> sa.CompoundSelect[int]:
    """Ids of the instances whose id, name, address or tag value begins so, or that have the whole `key=value`.

    A union to be joined: each part reads a range of its own index. As one condition with OR no database uses them all.
    """
    parts = [
        sa.select(Instance.id.label("id")).where(begins(column, value))
        for column, value in (
            (Instance.instance_id, text.lower()),
            (Instance.name_key, text.casefold()),
            (Instance.private_ip, text),
            (Instance.public_ip, text),
        )
    ]
    parts.append(sa.select(InstanceTag.instance_pk.label("id")).where(begins(InstanceTag.value, text)))
    if "=" in text:
        parts.append(sa.select(InstanceTag.instance_pk.label("id")).where(has_tag(text)))
    return sa.union(*parts)


def begins(column: Any, text: str) -> sa.ColumnElement[bool]:
    """A prefix as a range, which an index serves on every database; LIKE only on some, and it knows wildcards."""
    return sa.and_(column >= text, column < text + LAST)


def _clean(values: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for value in values[:MAX_VALUES]:
        text = value.strip()
        is_text = "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)
        if text and is_text and len(text) <= MAX_LENGTH and text not in seen:
            seen.add(text)
            yield text
