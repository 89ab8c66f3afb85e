"""Pages by key, both ways: the thousandth page costs what the first does, and rows do not shift between pages.

The condition is written out (`column >= x AND (column > x OR id > y)`), because MariaDB uses no index for the
comparison of tuples.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import sqlalchemy as sa

from app.database import db
from app.errors import InvalidInputError

T = TypeVar("T")

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200

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
class Sort:
    """A NOT NULL column to sort by, with the unique id that decides between equals."""

    column: Any
    id_column: Any
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class _Cursor:
    is_backward: bool
    value: Any
    id: int


def fetch_page(query: Any, sort: Sort, cursor: str | None, *, size: int = PAGE_SIZE) -> Page[Any]:
    """Rows of the query after, or before, the cursor. The query must select both of the sort's columns.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    at = _decode(cursor) if cursor else None
    is_backward = at is not None and at.is_backward
    # Read against the order when going back, and turned round afterwards.
    is_falling = sort.is_descending != is_backward
    rows_query = query if at is None else query.where(_beyond(sort, at, is_falling=is_falling))
    order = (sort.column.desc(), sort.id_column.desc()) if is_falling else (sort.column, sort.id_column)
    found = list(db.session.execute(rows_query.order_by(*order).limit(size + 1)))
    has_more = len(found) > size
    rows = found[:size]
    if is_backward:
        rows.reverse()
    total, is_capped = count_capped(query)
    has_next = has_more if not is_backward else True
    has_previous = at is not None and (has_more if is_backward else True)
    return Page(
        rows,
        total,
        is_capped,
        next=_encode(sort, rows[-1], is_backward=False) if rows and has_next else None,
        previous=_encode(sort, rows[0], is_backward=True) if rows and has_previous else None,
    )


def count_capped(query: Any) -> tuple[int, bool]:
    """How many rows the query has, counting to COUNT_CAP, and whether there are more."""
    limited = query.order_by(None).with_only_columns(sa.literal(1)).limit(COUNT_CAP + 1).subquery()
    count = db.session.scalar(sa.select(sa.func.count()).select_from(limited)) or 0
    return min(count, COUNT_CAP), count > COUNT_CAP


def _beyond(sort: Sort, at: _Cursor, *, is_falling: bool) -> sa.ColumnElement[bool]:
    column, id_column, value = sort.column, sort.id_column, at.value
    if is_falling:
        return sa.and_(column <= value, sa.or_(column < value, id_column < at.id))
    return sa.and_(column >= value, sa.or_(column > value, id_column > at.id))


def _encode(sort: Sort, row: Any, *, is_backward: bool) -> str:
    value = getattr(row, sort.column.key)
    value = value.isoformat() if isinstance(value, datetime) else str(value)
    text = json.dumps([int(is_backward), type(getattr(row, sort.column.key)).__name__ == "datetime", value, row.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str) -> _Cursor:
    try:
        padded = text + "=" * (-len(text) % 4)
        backward, is_time, value, id_ = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not isinstance(value, str) or not isinstance(id_, int) or not 0 <= id_ < 2**63 or "\0" in value:
            raise ValueError
        value.encode()
        return _Cursor(bool(backward), datetime.fromisoformat(value) if is_time else value, id_)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidInputError("This is not a page of the list. Begin again at the first one.") from None
