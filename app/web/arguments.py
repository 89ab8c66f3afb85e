"""Reads what stands in an address after the question mark; nonsense counts as nothing."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from flask import request
from werkzeug.routing import IntegerConverter, Map

from app.errors import InvalidInputError
from app.web.filters import viewer_zone

E = TypeVar("E", bound=StrEnum)

MAX_ID = 2**63 - 1


class IdConverter(IntegerConverter):
    """`<int:...>` in a route: a number that no row can have as its id leads to no page, instead of to the database,
    which would call it an error."""

    def __init__(self, map_: Map) -> None:
        super().__init__(map_, max=MAX_ID)


def one_of(enum: type[E], name: str) -> E | None:
    """The member whose value stands there."""
    text = request.args.get(name)
    return next((member for member in enum if member.value == text), None)


def number(name: str) -> int | None:
    """An id; None for what is no number, or too large for one."""
    text = request.args.get(name, "")
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
    return value if value is not None and value <= MAX_ID else None


def moment(name: str) -> datetime | None:
    """A date, or a date and a time, in the viewer's zone unless it names its own; None where nothing stands there.

    Raises:
        InvalidInputError: what stands there is neither.
    """
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        local = found if found.tzinfo else found.replace(tzinfo=viewer_zone())
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInputError("Write a date and a time, as 2026-11-20T14:00.", field=name) from None
