"""What the list of instances can be narrowed to: the values of each filter, and the conditions that they become."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from typing import Any, Self

import sqlalchemy as sa

from app.models import Instance, InstanceTag
from app.models.types import AuthStatus

#: A prefix ends before the last character there is.
LAST = "\U0010ffff"

#: Longer values can match nothing that is stored.
MAX_LENGTH = 300
MAX_VALUES = 50
MAX_SPLITS = 4
MAX_ID = 2**63 - 1

#: In an address, and in the search box, this before a filter's name leaves out what the filter finds.
NOT = "-"

_ADDRESS = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Values by filter, as text: an address may hold anything."""

    account: tuple[str, ...] = ()
    """`accounts.id`."""
    region: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    lifecycle: tuple[str, ...] = ()
    type: tuple[str, ...] = ()
    auth_status: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    """`key=value`, or a key alone."""
    q: tuple[str, ...] = ()
    """Ids, names and addresses, whole or by their beginning."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        return tuple(each.name for each in fields(Criteria))

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Every filter as (name, value), in the order of the page."""
        for name in self.names():
            for value in getattr(self, name):
                yield name, value

    def without(self, name: str, value: str) -> Self:
        """The same without one value."""
        return replace(self, **{name: tuple(item for item in getattr(self, name) if item != value)})

    def adding(self, name: str, *values: str) -> Self:
        """The same with more values; those that it has already are not doubled."""
        return replace(self, **{name: tuple(dict.fromkeys((*getattr(self, name), *values)))})

    def __bool__(self) -> bool:
        return any(True for _ in self.pairs())


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilters(Criteria):
    """Within a filter any of its values may match, every filter that has values must, and nothing excluded may.

    Tags with different keys, and words searched for, must all match.
    """

    excluded: Criteria = field(default_factory=Criteria)

    @classmethod
    def parse(cls, params: Mapping[str, Sequence[str]]) -> "InstanceFilters":
        """Take the known names; what is empty, too long or not text that a database takes is left out."""

        def read(prefix: str) -> dict[str, tuple[str, ...]]:
            return {name: tuple(_clean(params.get(prefix + name, ()))) for name in cls.names()}

        return cls(**read(""), excluded=Criteria(**read(NOT)))

    def to_params(self) -> dict[str, list[str]]:
        """For an address: only the names that have values."""
        found: dict[str, list[str]] = {}
        for prefix, criteria in (("", self), (NOT, self.excluded)):
            for name, value in criteria.pairs():
                found.setdefault(prefix + name, []).append(value)
        return found

    def __bool__(self) -> bool:
        return Criteria.__bool__(self) or bool(self.excluded)

    def narrow(self, query: Any) -> Any:
        """The query on `instances` with these conditions."""
        return query.where(*_conditions(self), *(sa.not_(each) for each in _conditions(self.excluded, joined=False)))


def _conditions(criteria: Criteria, *, joined: bool = True) -> Iterator[sa.ColumnElement[bool]]:
    """One for each filter that has values; where they are not `joined`, for each tag and word by itself."""
    if criteria.account:
        ids = [id_ for id_ in map(as_id, criteria.account) if id_ is not None]
        yield Instance.account_id.in_(ids)
    for column, values in (
        (Instance.region, criteria.region),
        (Instance.state, criteria.state),
        (Instance.lifecycle, criteria.lifecycle),
        (Instance.instance_type, criteria.type),
    ):
        if values:
            yield column.in_(values)
    if criteria.auth_status:
        yield Instance.auth_status.in_([each for each in AuthStatus if each.value in criteria.auth_status])
    tags = groupby(sorted(criteria.tag), tag_key) if joined else ((each, [each]) for each in criteria.tag)
    for _, alike in tags:
        carriers = sa.select(InstanceTag.instance_pk).where(sa.or_(*map(has_tag, alike)))
        yield Instance.id.in_(carriers)
    for text in criteria.q:
        yield search(text)


def as_id(text: str) -> int | None:
    """A row's id; None for what cannot be one."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and int(text) <= MAX_ID else None


def tag_key(text: str) -> str:
    """What stands before the first `=`."""
    return text.partition("=")[0]


def has_tag(text: str) -> sa.ColumnElement[bool]:
    """`key=value` is exact on both sides; a key alone asks whether it is there. A key may hold `=`, too."""
    splits = [at for at, character in enumerate(text) if character == "="][:MAX_SPLITS]
    exact = [sa.and_(InstanceTag.key == text[:at], InstanceTag.value == text[at + 1 :]) for at in splits]
    return sa.or_(InstanceTag.key == text, *exact)


def search(text: str) -> sa.ColumnElement[bool]:
    """Whether an instance's name, id or address begins so; only those that can are asked."""
    columns = [(Instance.name_key, text.casefold())]
    if text.lower().startswith("i-"):
        columns.append((Instance.instance_id, text.lower()))
    if _ADDRESS.fullmatch(text):
        columns += [(Instance.private_ip, text), (Instance.public_ip, text)]
    if len(columns) == 1:
        return begins(*columns[0])
    # A union, each part of which reads a range of its own index: as one OR no database uses them all.
    found = sa.union(*(sa.select(Instance.id).where(begins(column, value)) for column, value in columns))
    return Instance.id.in_(found)


def begins(column: Any, text: str) -> sa.ColumnElement[bool]:
    """A prefix as a range, which an index serves on every database; LIKE only on some, and it knows wildcards."""
    return sa.and_(column >= text, column < text + LAST)


def is_storable(text: str) -> bool:
    """Whether a database can be asked for it: no NUL, no half of a surrogate pair, not longer than any value."""
    return len(text) <= MAX_LENGTH and "\0" not in text and not any("\ud800" <= each <= "\udfff" for each in text)


def _clean(values: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for value in values[:MAX_VALUES]:
        text = value.strip()
        if text and is_storable(text) and text not in seen:
            seen.add(text)
            yield text
