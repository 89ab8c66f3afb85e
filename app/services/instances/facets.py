"""What the list can be narrowed to, with how many instances each value would leave."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, User
from app.services.instances.filters import Criteria, InstanceFilters, as_id
from app.services.instances.tallies import INSTANCES, TALLIES, TYPE_TALLIES
from app.services.paging import COUNT_CAP
from app.services.scope import in_visible_account

#: Filters with values to choose from, in the order of the page.
FACETS = ("account", "region", "state", "lifecycle", "auth_status", "type")

#: No list to choose from is longer; the most frequent values come first, and the chosen ones are always there.
MAX_VALUES = 100

#: Each filter's column in `instances`, and in the tables of counts that know it.
_COLUMNS = {
    "account": "account_id",
    "region": "region",
    "state": "state",
    "lifecycle": "lifecycle",
    "auth_status": "auth_status",
    "type": "instance_type",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a facet, as text; `count` is None where nobody has counted under these filters."""

    value: str
    label: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    values: Sequence[Value]
    is_cut: bool
    """Whether there are more values than are listed."""

    is_capped: bool
    """Whether so many instances fit the other filters that nobody counts them for each value."""


def list_facets(viewer: User, filters: InstanceFilters, names: Sequence[str]) -> list[Facet]:
    """The values of facets; their counts are of the instances that fit all other filters.

    From the tables of counts where they know all that is asked. Words and tags they do not know: then up to COUNT_CAP
    instances are counted themselves.
    """
    counted: dict[InstanceFilters, dict[str, Counter[str]] | None] = {}
    facets = []
    for name in names:
        others = _without(filters, name)
        chosen = [*getattr(filters, name), *getattr(filters.excluded, name)]
        counts: dict[str, int | None]
        if _is_free(others):
            if others not in counted:
                counted[others] = _count_rows(viewer, others)
            found = counted[others]
            counts = dict(found[name]) if found is not None else _uncounted(viewer, name)
            is_told, is_capped = found is not None, found is None
        else:
            table = _counting(_constrained(others) | {name})
            is_told, is_capped = table is not None, False
            counts = _uncounted(viewer, name) if table is None else {**_count(viewer, others, name, table)}
        for value in chosen:
            counts.setdefault(value, 0 if is_told else None)
        facets.append(_facet(viewer, name, counts, chosen, is_capped=is_capped))
    return facets


def _facet(viewer: User, name: str, counts: dict[str, int | None], chosen: Sequence[str], *, is_capped: bool) -> Facet:
    ordered = sorted(counts.items(), key=lambda pair: (-(pair[1] or 0), pair[0]))
    kept = ordered[:MAX_VALUES] + [pair for pair in ordered[MAX_VALUES:] if pair[0] in chosen]
    labels = _account_names(viewer, [value for value, _ in kept]) if name == "account" else {}
    values = [Value(value, labels.get(value, value), count) for value, count in kept]
    return Facet(name, values, len(kept) < len(ordered), is_capped)


def count_matching(viewer: User, filters: InstanceFilters) -> int | None:
    """How many instances fit, from the tables of counts; None where these do not know all that is asked."""
    table = None if _is_free(filters) else _counting(_constrained(filters))
    if table is None:
        return None
    query = sa.select(sa.func.coalesce(sa.func.sum(table.c.count), 0)).where(*_conditions(viewer, filters, table))
    return int(db.session.scalar(query) or 0)


def account_names(viewer: User, filters: InstanceFilters) -> dict[str, str]:
    """The names of the accounts that are filtered by, under what the address calls them."""
    wanted = [*filters.account, *filters.excluded.account]
    return _account_names(viewer, wanted) if wanted else {}


def _count(viewer: User, filters: InstanceFilters, name: str, table: sa.Table) -> dict[str, int]:
    column = table.c[_COLUMNS[name]]
    query = sa.select(column, sa.func.sum(table.c.count)).where(*_conditions(viewer, filters, table)).group_by(column)
    return {_text(value): int(count) for value, count in db.session.execute(query)}


def _uncounted(viewer: User, name: str) -> dict[str, int | None]:
    """The values that there are, whatever is filtered by."""
    table = TYPE_TALLIES if name == "type" else TALLIES
    return dict.fromkeys(_count(viewer, InstanceFilters(), name, table))


def _count_rows(viewer: User, filters: InstanceFilters) -> dict[str, Counter[str]] | None:
    """For each facet the counts among the instances themselves; None where there are too many to count."""
    columns = [INSTANCES.c[_COLUMNS[name]] for name in FACETS]
    query = filters.narrow(sa.select(*columns)).where(in_visible_account(Instance.account_id, viewer))
    rows = db.session.execute(query.limit(COUNT_CAP + 1)).all()
    if len(rows) > COUNT_CAP:
        return None
    return {name: Counter(_text(row[place]) for row in rows) for place, name in enumerate(FACETS)}


def _account_names(viewer: User, values: Sequence[str]) -> dict[str, str]:
    ids = [id_ for id_ in map(as_id, values) if id_ is not None]
    query = sa.select(Account.id, Account.account_name).where(
        Account.id.in_(ids), in_visible_account(Account.id, viewer)
    )
    return {str(row.id): row.account_name for row in db.session.execute(query)}


def _conditions(viewer: User, filters: InstanceFilters, table: sa.Table) -> Iterator[sa.ColumnElement[bool]]:
    yield in_visible_account(table.c.account_id, viewer)
    for criteria, is_excluded in ((filters, False), (filters.excluded, True)):
        for name, column_name in _COLUMNS.items():
            values: Any = getattr(criteria, name)
            if not values:
                continue
            # An enum's column takes its members alone.
            column: Any = sa.type_coerce(table.c[column_name], sa.String) if name == "auth_status" else None
            column = table.c[column_name] if column is None else column
            if name == "account":
                values = [id_ for id_ in map(as_id, values) if id_ is not None]
            yield column.not_in(values) if is_excluded else column.in_(values)


def _constrained(filters: InstanceFilters) -> set[str]:
    return {name for criteria in (filters, filters.excluded) for name, _ in criteria.pairs()}


def _counting(names: set[str]) -> sa.Table | None:
    """The table of counts that knows all of these filters."""
    return next((table for table in (TALLIES, TYPE_TALLIES) if names <= _known_by(table)), None)


def _known_by(table: sa.Table) -> set[str]:
    return {name for name, column in _COLUMNS.items() if column in table.c}


def _is_free(filters: InstanceFilters) -> bool:
    """Whether it asks for words or tags, which no table of counts knows."""
    return any((filters.q, filters.tag, filters.excluded.q, filters.excluded.tag))


def _without(filters: InstanceFilters, name: str) -> InstanceFilters:
    """The same without what it says of one facet."""
    excluded: Criteria = replace(filters.excluded, **{name: ()})
    return replace(filters, excluded=excluded, **{name: ()})


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))
