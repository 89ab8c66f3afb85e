"""Reads what stands in an address after the question mark; nonsense counts as nothing."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from flask import request
from werkzeug.routing import IntegerConverter, Map

from app.errors import InvalidInputError
from app.services.instances.comparison import check_moment
from app.services.instances.filters import MAX_ID, as_id
from app.web.filters import viewer_zone

E = TypeVar("E", bound=StrEnum)


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
    return as_id(request.args.get(name, ""))


@dataclass(frozen=True, slots=True)
class AskedMoment:
    """A moment as an address names it, for a field to show it again."""

    name: str
    value: datetime | None
    """As it was understood, whether it can be or not."""
    typed: str
    """What could not be understood."""
    error: str

    @property
    def usable(self) -> datetime | None:
        return None if self.error else self.value


def read_moment(text: str, *, years: range) -> datetime:
    """A date, or a date and a time, in the viewer's zone unless it names its own; in UTC.

    Raises:
        ValueError: it is none, or of another year.
    """
    found = datetime.fromisoformat(text)
    if found.year not in years:
        raise ValueError(f"Not a year from {years.start} to {years.stop - 1}.")
    return (found if found.tzinfo else found.replace(tzinfo=viewer_zone())).astimezone(UTC)


def asked_moment(name: str, history_days: int) -> AskedMoment:
    """A date, or a date and a time, in the viewer's zone unless it names its own; and what is wrong with it."""
    text = request.args.get(name, "").strip()
    if not text:
        return AskedMoment(name, None, "", "")
    try:
        value = read_moment(text, years=range(1901, 9000))
    except ValueError:
        return AskedMoment(name, None, text, "Write a date and a time, as 2026-11-20T14:00.")
    try:
        check_moment(value, history_days, field=name)
    except InvalidInputError as refused:
        return AskedMoment(name, value, "", str(refused))
    return AskedMoment(name, value, "", "")
