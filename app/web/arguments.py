"""Reads what stands in an address after the question mark; nonsense counts as nothing."""

from enum import StrEnum
from typing import TypeVar

from flask import request
from werkzeug.routing import IntegerConverter, Map

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
