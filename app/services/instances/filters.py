"""What the list of instances can be narrowed to: the values of each filter, and the conditions that they become."""

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
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


class _Everything:
    def __contains__(self, _item: object) -> bool:
        return True


EVERY = _Everything()


def as_it_is(column: Any) -> Any:
    """Hides no index."""
    return column


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

    def narrow(self, query: Any, *, listed: Container[Any] = EVERY, seen_as: Callable[[Any], Any] = as_it_is) -> Any:
        """The query on `instances` with these conditions.

        Of the tags and words that are `listed`, a list is made first of all instances that have them; of the others
        each instance is asked. `seen_as` may hide a column's index from a condition.
        """
        excluded = _conditions(self.excluded, listed=(), seen_as=seen_as, is_joined=False)
        return query.where(*_conditions(self, listed=listed, seen_as=seen_as), *map(sa.not_, excluded))

    def asks_for_name(self) -> bool:
        """Whether a word can be nothing but the beginning of a name."""
        return any(len(_places(text)) == 1 for text in self.q)

    def is_lone_hit(self) -> bool:
        """Whether one word, or the tags of one key, is all that is asked for."""
        others = [name for name, _ in self.pairs() if name not in ("tag", "q")]
        return not others and not self.excluded and len(_by_key(self.tag)) + len(self.q) == 1

    def hits(self) -> Iterator[tuple[Any, Any]]:
        """For each word, and the tags of each key: what `narrow` knows it by, and a query of the ids that have it."""
        for alike in _by_key(self.tag):
            yield alike, _carriers(alike)
        for text in self.q:
            yield text, _found(_places(text))


def _conditions(
    criteria: Criteria, *, listed: Container[Any], seen_as: Callable[[Any], Any], is_joined: bool = True
) -> Iterator[sa.ColumnElement[bool]]:
    """One for each filter that has values; where they are not joined, one for each tag and word by itself."""
    if criteria.account:
        ids = [id_ for id_ in map(as_id, criteria.account) if id_ is not None]
        yield seen_as(Instance.account_id).in_(ids)
    for column, values in (
        (Instance.region, criteria.region),
        (Instance.state, criteria.state),
        (Instance.lifecycle, criteria.lifecycle),
        (Instance.instance_type, criteria.type),
    ):
        if values:
            yield seen_as(column).in_(values)
    if criteria.auth_status:
        yield seen_as(Instance.auth_status).in_([each for each in AuthStatus if each.value in criteria.auth_status])
    for alike in _by_key(criteria.tag) if is_joined else [(each,) for each in criteria.tag]:
        if alike in listed:
            yield Instance.id.in_(sa.select(_carriers(alike).subquery().c.instance_pk))
        else:
            yield _has_one(alike)
    for text in criteria.q:
        places = _places(text)
        if text in listed:
            found = [begins(column, value) for column, value in places]
            yield found[0] if len(found) == 1 else Instance.id.in_(sa.select(_found(places).subquery().c.id))
        else:
            yield sa.or_(*(begins(seen_as(column), value) for column, value in places))


def _by_key(tags: Sequence[str]) -> list[tuple[str, ...]]:
    """The tags with the same key together: any of them may be there."""
    return [tuple(alike) for _, alike in groupby(sorted(tags), tag_key)]


def _has_one(tags: Sequence[str]) -> sa.ColumnElement[bool]:
    """Not EXISTS, which planners turn into a join: they would make the list of all carriers that this is to spare."""
    found = sa.select(sa.literal(1)).where(InstanceTag.instance_pk == Instance.id, sa.or_(*map(has_tag, tags)))
    return found.correlate(Instance).limit(1).scalar_subquery().is_not(None)


def _carriers(tags: Sequence[str]) -> Any:
    """In parts, each of which is one range of the index."""
    parts = [sa.select(InstanceTag.instance_pk).where(each) for tag in tags for each in _readings(tag)]
    return parts[0] if len(parts) == 1 else sa.union_all(*parts)


def as_id(text: str) -> int | None:
    """A row's id; None for what cannot be one."""
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_number and int(text) <= MAX_ID else None


def tag_key(text: str) -> str:
    """What stands before the first `=`."""
    return text.partition("=")[0]


def has_tag(text: str) -> sa.ColumnElement[bool]:
    """`key=value` is exact on both sides; a key alone asks whether it is there. A key may hold `=`, too."""
    return sa.or_(*_readings(text))


def _readings(text: str) -> list[sa.ColumnElement[bool]]:
    """What the text may mean: a key alone, or a key and its value, parted at any `=`."""
    splits = [at for at, character in enumerate(text) if character == "="][:MAX_SPLITS]
    exact = [sa.and_(InstanceTag.key == text[:at], InstanceTag.value == text[at + 1 :]) for at in splits]
    return [InstanceTag.key == text, *exact]


def _places(text: str) -> list[tuple[Any, str]]:
    """Where a word may be found, and as what: a name, an id, an address; only those that can begin so."""
    places: list[tuple[Any, str]] = [(Instance.name_key, text.casefold())]
    if text.lower().startswith("i-"):
        places.append((Instance.instance_id, text.lower()))
    if _ADDRESS.fullmatch(text):
        places += [(Instance.private_ip, text), (Instance.public_ip, text)]
    return places


def _found(places: Sequence[tuple[Any, str]]) -> Any:
    """A union, each part of which reads a range of its own index: as one OR no database uses them all."""
    return sa.union(*(sa.select(Instance.id.label("id")).where(begins(column, value)) for column, value in places))


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
