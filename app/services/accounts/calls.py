"""The requests that are sent to AWS for an account: written down by the hour, shown, and held to a budget.

AWS limits calls by account and region, and the customer's own tools draw on the same limits: what we take, they lack.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa

from app.bulk import own_insert
from app.database import database_now, db
from app.models import Account, ApiCall, RegionScan

HOUR = timedelta(hours=1)
#: After the hour has turned, waiting jobs begin within so many seconds, not all at once.
SPREAD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a job has to wait, in words for its page, and for how many seconds."""

    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class CallRow:
    """What was sent for one action to one region. Both counts are of the database's clock, in UTC."""

    action: str
    region: str
    this_hour: int
    today: int


@dataclass(frozen=True, slots=True)
class Calls:
    """What an account's page shows of its calls."""

    limit: int
    """How many an hour; 0 = no limit."""

    hour_ends_at: datetime
    rows: Sequence[CallRow]
    """Those with most calls today first."""

    @property
    def this_hour(self) -> int:
        return sum(row.this_hour for row in self.rows)

    @property
    def today(self) -> int:
        return sum(row.today for row in self.rows)

    @property
    def is_used_up(self) -> bool:
        return 0 < self.limit <= self.this_hour


def record_calls(account_pk: int, counts: Mapping[tuple[str, str], int]) -> None:
    """Add what was sent, by (region, action), to the present hour in the current transaction.

    `CallMeter.take()` gives such counts. Take them once and outside of what is retried: a transaction that is rolled
    back and begun again adds the same counts again, and has added them once.
    """
    hour_at = hour_of(database_now())
    # In one order, so that two who write at once do not wait for each other.
    rows = [
        {"account_id": account_pk, "hour_at": hour_at, "region": region, "action": action, "count": count}
        for (region, action), count in sorted(counts.items())
        if count > 0
    ]
    if not rows:
        return
    db.session.flush()
    table = cast(sa.Table, ApiCall.__table__)
    insert = own_insert(db.session(), table)
    if db.session.get_bind().dialect.name == "mysql":
        statement = insert.on_duplicate_key_update({"count": table.c["count"] + insert.inserted["count"]})
    else:
        statement = insert.on_conflict_do_update(
            index_elements=["account_id", "hour_at", "region", "action"],
            set_={"count": table.c["count"] + insert.excluded["count"]},
        )
    db.session.connection().execute(statement, rows)


def list_calls(account: Account, per_hour: int) -> Calls:
    """The calls of this hour and of today (UTC) for an account that the caller may see."""
    now = database_now()
    hour_at = hour_of(now)
    in_this_hour = sa.func.sum(sa.case((ApiCall.hour_at == hour_at, ApiCall.count), else_=0))
    today = sa.func.sum(ApiCall.count)
    query = (
        sa.select(ApiCall.action, ApiCall.region, in_this_hour, today)
        .where(
            ApiCall.account_id == account.id, ApiCall.hour_at >= now.replace(hour=0, minute=0, second=0, microsecond=0)
        )
        .group_by(ApiCall.action, ApiCall.region)
        .order_by(today.desc(), ApiCall.action, ApiCall.region)
    )
    # int(): sums are Decimal on MariaDB.
    rows = [CallRow(action, region, int(hour), int(day)) for action, region, hour, day in db.session.execute(query)]
    return Calls(per_hour, hour_at + HOUR, rows)


def budget_wait(account_pk: int, per_hour: int, *, need: int | None = None) -> Wait | None:
    """Whether a job has to wait for the next hour before it calls AWS for this account; None: go on.

    `need` is how many calls the job will make; by default as many as the last reading of the regions took. Of a job
    that needs more than half of a budget, half is asked for: it must be able to run at all, beside smaller ones.
    """
    if per_hour <= 0:
        return None
    now = database_now()
    query = sa.select(sa.func.coalesce(sa.func.sum(ApiCall.count), 0)).where(
        ApiCall.account_id == account_pk, ApiCall.hour_at == hour_of(now)
    )
    used = int(db.session.scalar(query) or 0)
    if need is None:
        expected = sa.select(sa.func.coalesce(sa.func.sum(RegionScan.calls), 0))
        need = int(db.session.scalar(expected.where(RegionScan.account_id == account_pk)) or 0)
    if used + min(max(need, 1), max(per_hour // 2, 1)) <= per_hour:
        return None
    left = (hour_of(now) + HOUR - now).total_seconds()
    return Wait(
        left + random.uniform(0, SPREAD_SECONDS),  # noqa: S311 - spreading load needs no secrecy
        f"Waits for the budget of calls: {used:,} of {per_hour:,} used this hour",
    )


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour, UTC."""
    return moment.replace(minute=0, second=0, microsecond=0)
