"""How complete and how fresh what is shown is: a list that is partial or old says so, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.columns import UtcDateTime
from app.database import db
from app.models import Account, RegionScan, User
from app.models.mixins import utc_now
from app.models.types import RegionResult
from app.services.instances.filters import InstanceFilters, as_id
from app.services.scope import in_visible_account

#: A region is read once an interval; after so many of them without a reading, what is known of it is old.
STALE_INTERVALS = 3

#: So many reasons are told; beyond them only how many more there are.
MOST_REASONS = 6


@dataclass(frozen=True, slots=True)
class Freshness:
    """How much of what is asked for was read by the last try, and as of when."""

    read: int
    enabled: int
    """Regions, those of every account counted apart."""

    as_of: datetime | None
    """The oldest reading among the regions that were read; None where none was."""

    stale: int
    """Regions that the last try read, but so long ago that another should have followed."""

    unread_reasons: Sequence[Any]
    """Rows of account_id, account_name, region, result, message, last_read_at: the first of those not read."""

    stale_reasons: Sequence[Any]
    """Rows of account_id, account_name, regions, last_read_at: the first accounts with stale regions."""

    @property
    def unread(self) -> int:
        return self.enabled - self.read

    @property
    def is_complete(self) -> bool:
        return self.read == self.enabled

    @property
    def is_doubtful(self) -> bool:
        """Whether readers must be told: something is missing, or old."""
        return not self.is_complete or self.stale > 0


def find_freshness(viewer: User, filters: InstanceFilters, *, interval_seconds: int) -> Freshness:
    """How much of the filtered accounts and regions was read; in at most three statements, whatever their number."""
    conditions = list(_asked_for(viewer, filters))
    is_read = RegionScan.result == RegionResult.READ
    is_stale = is_read & (RegionScan.last_read_at < stale_before(interval_seconds))
    enabled, read, as_of, stale = db.session.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.case((is_read, RegionScan.id))),
            sa.func.min(sa.case((is_read, RegionScan.last_read_at)), type_=UtcDateTime()),
            sa.func.count(sa.case((is_stale, RegionScan.id))),
        ).where(*conditions)
    ).one()
    return Freshness(
        read=read,
        enabled=enabled,
        as_of=as_of,
        stale=stale,
        unread_reasons=_list_unread([*conditions, ~is_read]) if read < enabled else (),
        stale_reasons=_list_stale([*conditions, is_stale]) if stale else (),
    )


def stale_before(interval_seconds: int) -> datetime:
    """A reading from before this moment is old."""
    return utc_now() - timedelta(seconds=STALE_INTERVALS * interval_seconds)


def _asked_for(viewer: User, filters: InstanceFilters) -> Sequence[sa.ColumnElement[bool]]:
    conditions = [in_visible_account(RegionScan.account_id, viewer), RegionScan.result != RegionResult.NOT_OPTED_IN]
    for criteria, is_excluded in ((filters, False), (filters.excluded, True)):
        accounts = [id_ for id_ in map(as_id, criteria.account) if id_ is not None]
        for column, named, values in (
            (RegionScan.account_id, criteria.account, accounts),
            (RegionScan.region, criteria.region, criteria.region),
        ):
            if named:
                conditions.append(column.not_in(values) if is_excluded else column.in_(values))
    return conditions


def _list_unread(conditions: Sequence[sa.ColumnElement[bool]]) -> Sequence[Any]:
    return db.session.execute(
        sa.select(
            RegionScan.account_id,
            Account.account_name,
            RegionScan.region,
            RegionScan.result,
            RegionScan.message,
            RegionScan.last_read_at,
        )
        .join(Account, Account.id == RegionScan.account_id)
        .where(*conditions)
        .order_by(Account.account_name, Account.id, RegionScan.region)
        .limit(MOST_REASONS)
    ).all()


def _list_stale(conditions: Sequence[sa.ColumnElement[bool]]) -> Sequence[Any]:
    oldest = sa.func.min(RegionScan.last_read_at, type_=UtcDateTime()).label("last_read_at")
    return db.session.execute(
        sa.select(RegionScan.account_id, Account.account_name, sa.func.count().label("regions"), oldest)
        .join(Account, Account.id == RegionScan.account_id)
        .where(*conditions)
        .group_by(RegionScan.account_id, Account.account_name)
        .order_by(oldest, RegionScan.account_id)
        .limit(MOST_REASONS)
    ).all()
