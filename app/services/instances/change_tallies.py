"""How many instances appeared, started, stopped, ended and vanished, by account and day: kept beside their history."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any, cast

import sqlalchemy as sa

from app.database import db
from app.models import ChangeTally, InstanceChange
from app.models.instance import MISSING
from app.models.types import ChangeKind

TALLIES = cast("sa.Table", ChangeTally.__table__)

#: What is counted, by the names of the columns.
DEEDS = ("appeared", "started", "stopped", "terminated", "vanished")

#: What a change of state to one of these is called, unless the instance was in another of the same kind.
_ENTERED = {
    **dict.fromkeys(("pending", "running"), "started"),
    **dict.fromkeys(("stopping", "stopped"), "stopped"),
    **dict.fromkeys(("shutting-down", "terminated"), "terminated"),
}


def deed_of(kind: ChangeKind, field: str, before: Any, after: Any) -> str | None:
    """What a change is counted as; None for one that is no event in an instance's life.

    A start is one whether AWS was asked while the instance was still pending or when it ran already. A restart that
    happened between two readings is not counted: nobody saw it stop.
    """
    if kind in {ChangeKind.APPEARED, ChangeKind.RETURNED}:
        return "appeared"
    if kind is ChangeKind.VANISHED:
        # One that was shutting down has been counted when it began to.
        return "vanished" if after == MISSING else None
    if field != "state":
        return None
    entered = _ENTERED.get(after)
    return entered if entered != _ENTERED.get(before) else None


def count_changes(account_pk: int, deeds: Iterable[str | None], seen_at: datetime, *, sign: int = 1) -> None:
    """Add to the day's counts (or take from them, with `sign=-1`, what was taken from the history).

    In the transaction that writes the history, under the lock on the account's row: of two that count at once the
    second adds to what the first left.
    """
    counts = Counter(deed for deed in deeds if deed is not None)
    _add(account_pk, day_of(seen_at), {deed: sign * number for deed, number in counts.items()})


def count_reading(account_pk: int, read_at: datetime) -> None:
    """Note that the account was read that day; under the lock on its row, too."""
    _add(account_pk, day_of(read_at), {"readings": 1})


def day_of(moment: datetime) -> date:
    """The day in UTC: the days of accounts in all zones are the same."""
    return moment.astimezone(UTC).date()


def _add(account_pk: int, day: date, numbers: Mapping[str, int]) -> None:
    if not numbers:
        return
    is_day = (TALLIES.c.account_id == account_pk, TALLIES.c.day == day)
    more = {name: TALLIES.c[name] + number for name, number in numbers.items()}
    result = db.session.execute(sa.update(TALLIES).where(*is_day).values(more))
    if not getattr(result, "rowcount", 0):
        zeros = dict.fromkeys(("readings", *DEEDS), 0)
        db.session.execute(sa.insert(TALLIES).values({**zeros, **numbers, "account_id": account_pk, "day": day}))


def find_wrong_change_tallies(account_pk: int, *, mend: bool = False) -> list[str]:
    """What the counts of an account's days say that its history does not bear out, one line for each difference.

    From the first day that is kept: the history of earlier ones may be forgotten in part. Readings leave no other
    trace, and are believed. Under the lock on the account's row.
    """
    kept = {row.day: row for row in db.session.execute(sa.select(TALLIES).where(TALLIES.c.account_id == account_pk))}
    true = _count_history(account_pk)
    first = min(kept, default=date.min)
    wrong = []
    for day in sorted(kept.keys() | {day for day in true if day >= first}):
        told = {deed: getattr(kept[day], deed) if day in kept else 0 for deed in DEEDS}
        missing = {deed: true[day][deed] - told[deed] for deed in DEEDS if true[day][deed] != told[deed]}
        wrong += [
            f"change_tallies: {told[deed]} instead of {true[day][deed]} {deed} on {day.isoformat()}" for deed in missing
        ]
        if mend:
            _add(account_pk, day, missing)
    return wrong


def _count_history(account_pk: int) -> defaultdict[date, Counter[str]]:
    """The same counts from the rows themselves."""
    kind, field = InstanceChange.kind, InstanceChange.field
    day = sa.func.date(InstanceChange.seen_at)
    before, after = (sa.cast(column, sa.String) for column in (InstanceChange.before, InstanceChange.after))
    query = (
        sa.select(day, kind, field, before, after, sa.func.count())
        .where(InstanceChange.account_id == account_pk, (kind != ChangeKind.CHANGED) | (field == "state"))
        .group_by(day, kind, field, before, after)
    )
    counts: defaultdict[date, Counter[str]] = defaultdict(Counter)
    for seen_on, its_kind, its_field, *states, number in db.session.execute(query):
        deed = deed_of(its_kind, its_field, *(json.loads(state) if state else None for state in states))
        if deed is not None:
            # SQLite has no dates.
            counts[date.fromisoformat(seen_on) if isinstance(seen_on, str) else seen_on][deed] += number
    return counts
