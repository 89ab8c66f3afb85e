"""Pages of what fits conditions that no index serves: bounded in what they look at, and not in how far they lead."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from app.database import db
from app.services.paging import PAGE_SIZE, Cursor, Sort, beyond, decode, encode

T = TypeVar("T")

#: How many candidates a page looks at: mostly the first number will do.
DEPTHS = (200, 2_000)


@dataclass(frozen=True, slots=True)
class SiftedPage(Generic[T]):
    """Those of some candidates that fit; there may be fewer than a page holds, and more beyond."""

    items: Sequence[T]
    is_cut: bool
    """Whether the search ended because it had looked at enough, and not because the page was full or the list over."""

    next: str | None
    previous: str | None


def fetch_sifted_page(
    candidates: Sequence[Any],
    sift: Callable[[Any], Any],
    shown: Any,
    sort: Sort,
    cursor: str | None,
    *,
    size: int = PAGE_SIZE,
) -> SiftedPage[Any]:
    """The rows that fit conditions which no index serves, among a bounded number of candidates.

    `candidates` are queries for ids, each of which an index answers in the order of the sort; `sift` adds the other
    conditions to such a query; `shown` is as in `fetch_page`. A page looks at no more than DEPTHS[-1] candidates, so
    that it costs the same whatever the size of the table: where few fit, it ends short and its cursors lead on from
    where it ended.

    Raises:
        InvalidInputError: the cursor is not one of ours, or belongs to another sort.
    """
    at = decode(cursor, sort) if cursor else None
    is_backward = at is not None and at.is_backward
    is_falling = sort.is_descending != is_backward
    order = (sort.column.desc(), sort.id_column.desc()) if is_falling else (sort.column, sort.id_column)
    conditions = [] if at is None else [beyond(sort, at, is_falling=is_falling)]
    rows: list[Any] = []
    last: Any = None
    for depth in DEPTHS:
        looked_at = first_of([each.where(*conditions) for each in candidates], sort, depth, is_falling=is_falling)
        fitting = sift(sa.select(sort.id_column).join(looked_at, looked_at.c.id == sort.id_column))
        ids = fitting.order_by(*order).limit(size + 1).subquery()
        rows = list(db.session.execute(shown.join(ids, ids.c.id == sort.id_column).order_by(*order)))
        if len(rows) > size:
            break
        # The last one that was looked at, where there are so many.
        ends = (looked_at.c.value.desc(), looked_at.c.id.desc()) if is_falling else (looked_at.c.value, looked_at.c.id)
        found = db.session.execute(sa.select(looked_at).order_by(*ends).offset(depth - 1).limit(1)).one_or_none()
        last = found and Cursor(is_backward, found.value, found.id)
        if last is None:
            break
    is_full = len(rows) > size
    rows = rows[:size]
    end = rows[-1] if is_full else last
    ahead_of_it = encode(sort, end, is_backward=is_backward) if end is not None else None
    behind_it = None
    if at is not None:
        # Where nothing is shown, back to what the cursor stood on, too: it belongs to the page before.
        beginning = rows[0] if rows else replace(at, id=at.id + (-1 if is_falling else 1))
        behind_it = encode(sort, beginning, is_backward=not is_backward)
    if is_backward:
        rows.reverse()
    return SiftedPage(
        rows,
        is_cut=not is_full and last is not None,
        next=behind_it if is_backward else ahead_of_it,
        previous=ahead_of_it if is_backward else behind_it,
    )


def first_of(queries: Sequence[Any], sort: Sort, limit: int, *, is_falling: bool) -> Any:
    """A subquery of the first rows of all these queries for ids, as (id, value): no more is read of each than that."""
    order = (sort.column.desc(), sort.id_column.desc()) if is_falling else (sort.column, sort.id_column)
    parts = [
        each.with_only_columns(sort.id_column.label("id"), sort.column.label("value")).order_by(*order).limit(limit)
        for each in queries
    ]
    if len(parts) == 1:
        return parts[0].subquery()
    together = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    value, id_ = together.c.value, together.c.id
    return (
        sa.select(id_, value)
        .order_by(*((value.desc(), id_.desc()) if is_falling else (value, id_)))
        .limit(limit)
        .subquery()
    )
