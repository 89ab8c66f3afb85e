"""Pages by key, both ways: the thousandth page costs what the first does, and rows do not shift between pages.

The condition is written out (`column >= x AND (column > x OR id > y)`), because MariaDB uses no index for the
comparison of tuples.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from app.database import db
from app.errors import InvalidInputError

T = TypeVar("T")

PAGE_SIZE = 50

#: Counting goes no further than this: "10,000+" says as much to a reader as the exact figure.
COUNT_CAP = 10_000


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a longer list. `next` and `previous` are cursors, None where there is no such page."""

    items: Sequence[T]
    total: int
    is_total_capped: bool
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """So many, or more where it is capped."""

    number: int
    is_capped: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.is_capped else ''}"

    def __bool__(self) -> bool:
        return bool(self.number)

    @classmethod
    def capped(cls, number: int) -> "Count":
        """Of what was counted to COUNT_CAP + 1."""
        return cls(min(number, COUNT_CAP), number > COUNT_CAP)


@dataclass(frozen=True, slots=True)
class Sort:
    """A column to sort by, with the unique id that decides between equals. Where the column is null, the value is
    unknown and the row comes last, whichever way the order goes."""

    column: Any
    id_column: Any
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: beyond the row with this value and id, or before it."""

    is_backward: bool
    value: Any
    id: int


def fetch_page(
    matching: Any,
    shown: Any,
    sort: Sort,
    cursor: str | None,
    *,
    size: int = PAGE_SIZE,
    total: tuple[int, bool] | None = None,
) -> Page[Any]:
    """The rows after, or before, the cursor; a cursor beyond all rows leads to the first page.

    `matching` selects the sort's id column alone and holds all conditions, the viewer's scope among them; `shown`
    selects what a row shows, both of the sort's columns included, and has no conditions. In two steps, because the
    first is answered from indexes and only a page of rows is then read: sorting whole rows costs ten times as much.
    Who knows the total, and whether it is capped, spares the counting.

    Raises:
        InvalidInputError: the cursor is not one of ours, or belongs to another sort.
    """
    at = decode(cursor, sort) if cursor else None
    is_backward = at is not None and at.is_backward
    rows = _read(matching, shown, sort, at, size + 1)
    if at is not None and not rows:
        return fetch_page(matching, shown, sort, None, size=size, total=total)
    has_more = len(rows) > size
    rows = rows[:size]
    if is_backward:
        rows.reverse()
    counted, is_capped = total or count_capped(matching)
    has_next = has_more or is_backward
    has_previous = has_more if is_backward else at is not None
    return Page(
        rows,
        counted,
        is_capped,
        next=encode(sort, rows[-1], is_backward=False) if rows and has_next else None,
        previous=encode(sort, rows[0], is_backward=True) if rows and has_previous else None,
    )


def walk(matching: Any, shown: Any, sort: Sort, *, size: int) -> Iterator[list[Any]]:
    """All rows in order, `size` at a time; `matching` and `shown` are as for `fetch_page`.

    No transaction is open while whoever asked works on a batch: it may take its time. In exchange a row whose place in
    the order changes meanwhile may come twice, or not at all.
    """
    at: Cursor | None = None
    while True:
        rows = _read(matching, shown, sort, at, size)
        db.session.rollback()
        if rows:
            yield rows
        if len(rows) < size:
            return
        at = Cursor(False, getattr(rows[-1], sort.column.key), rows[-1].id)


def count_capped(query: Any, cap: int | None = None) -> tuple[int, bool]:
    """How many rows the query has, counting to COUNT_CAP (or another cap), and whether there are more."""
    cap = COUNT_CAP if cap is None else cap
    limited = query.order_by(None).limit(cap + 1).subquery()
    count = db.session.scalar(sa.select(sa.func.count()).select_from(limited)) or 0
    return min(count, cap), count > cap


def _read(matching: Any, shown: Any, sort: Sort, at: Cursor | None, limit: int) -> list[Any]:
    rows: list[Any] = []
    for conditions, order in _stretches(sort, at):
        ids = matching.where(*conditions).order_by(*order).limit(limit - len(rows)).subquery()
        rows += db.session.execute(shown.join(ids, ids.c.id == sort.id_column).order_by(*order))
        if len(rows) == limit:
            break
    return rows


def _stretches(sort: Sort, at: Cursor | None) -> Iterator[tuple[list[sa.ColumnElement[bool]], Sequence[Any]]]:
    """What to read, one after the other: the rows with a value, and those without, as (conditions, order).

    By themselves each is a range of the index; databases do not agree where nulls come in an order.
    """
    is_backward = at is not None and at.is_backward
    # Read against the order when going back, and turned round afterwards.
    is_falling = sort.is_descending != is_backward
    column, id_column = sort.column, sort.id_column
    by_id = id_column.desc() if is_falling else id_column
    by_value = column.desc() if is_falling else column
    if not column.nullable:
        yield ([] if at is None else [beyond(sort, at, is_falling=is_falling)]), (by_value, by_id)
        return
    for is_unknown in (True, False) if is_backward else (False, True):
        conditions = [column.is_(None) if is_unknown else column.is_not(None)]
        if at is not None and (at.value is None) == is_unknown:
            conditions.append(beyond(sort, at, is_falling=is_falling))
        elif at is not None and is_unknown == is_backward:
            continue  # the cursor is past these
        yield conditions, (by_id,) if is_unknown else (by_value, by_id)


def beyond(sort: Sort, at: Cursor, *, is_falling: bool) -> sa.ColumnElement[bool]:
    """The condition on what comes after the cursor in an order that rises or falls."""
    column, id_column, value = sort.column, sort.id_column, at.value
    further_id: sa.ColumnElement[bool] = id_column < at.id if is_falling else id_column > at.id
    if value is None:
        return further_id
    if is_falling:
        return sa.and_(column <= value, sa.or_(column < value, further_id))
    return sa.and_(column >= value, sa.or_(column > value, further_id))


def encode(sort: Sort, row: Any, *, is_backward: bool) -> str:
    """The cursor that stands on a row, which has the sort's columns, or on a place."""
    value = row.value if isinstance(row, Cursor) else getattr(row, sort.column.key)
    text = value.isoformat() if isinstance(value, datetime) else value if value is None else str(value)
    # Not as \uXXXX: a name of 256 emoji would not fit into an address any more.
    parts = json.dumps([int(is_backward), sort.column.key, text, row.id], ensure_ascii=False)
    return base64.urlsafe_b64encode(parts.encode()).decode().rstrip("=")


def decode(text: str, sort: Sort) -> Cursor:
    """What a cursor of this sort says.

    Raises:
        InvalidInputError: it is not one of ours.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        backward, key, value, id_ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if key != sort.column.key or type(id_) is not int or not 0 <= id_ < 2**63:
            raise ValueError
        if value is None and sort.column.nullable:
            return Cursor(bool(backward), None, id_)
        if type(value) is not str:
            raise ValueError
        return Cursor(bool(backward), _typed(value, _kind(sort.column.type)), id_)
    except (ValueError, TypeError, OverflowError, binascii.Error, RecursionError):
        raise InvalidInputError("This is not a page of the list. Begin again at the first one.") from None


def _kind(column_type: Any) -> Any:
    # A decorated type says what it is by the type that it wraps.
    return getattr(column_type, "impl_instance", column_type).python_type


def _typed(text: str, kind: Any) -> Any:
    """What the column may be compared with: anybody may have written the cursor."""
    if issubclass(kind, datetime):
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    if "\0" in text:
        raise ValueError
    text.encode()  # no lone surrogates
    if issubclass(kind, int) and not 0 <= int(text) < 2**63:
        raise ValueError
    return kind(text)
