"""Accounts that need somebody, and why: found in one query, the worst first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from app.database import db
from app.errors import FaultCode
from app.models import Account, ApiCall, ChangeTally, User
from app.models.account import KEYS_ARE_OLD_AFTER
from app.models.mixins import utc_now
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod
from app.services.accounts.calls import hour_of
from app.services.instances.freshness import stale_before
from app.services.scope import visible_accounts

MOST = 8


class Reason(StrEnum):
    """Why, the worst first."""

    FAILED = "failed"
    """AWS refuses us."""
    REFUSED = "refused"
    """AWS said no the last time; the account is not given up yet, or was never connected."""
    UNAVAILABLE = "unavailable"
    """We did not get through."""
    ROLE_MISSING = "role_missing"
    """Its owner has entered it, and not named its role."""
    NEVER_READ = "never_read"
    """Connected, and no discovery has come through since."""
    STALE = "stale"
    """Not read again for several intervals, though nothing has failed: nobody works."""
    PARTIAL = "partial"
    EVENTS_STOPPED = "events_stopped"
    """Readings have found changes of state on later days than that of the last event: it should have told of them."""
    OVER_BUDGET = "over_budget"
    """Its calls of this hour are used up: its jobs wait for the next."""
    OLD_KEYS = "old_keys"


@dataclass(frozen=True, slots=True)
class Need:
    """One account with every reason it has."""

    account_pk: int
    account_name: str
    owner_pk: int
    owner: str
    reasons: Sequence[Reason]
    """At least one, the worst first."""

    error_code: FaultCode | None
    regions_read: int
    regions_enabled: int
    keys_changed_at: datetime | None
    event_at: datetime | None
    verified_at: datetime | None
    last_good_at: datetime | None

    @property
    def worst(self) -> Reason:
        return self.reasons[0]


def list_needs(viewer: User, *, interval_seconds: int, calls_per_hour: int) -> tuple[Sequence[Need], int]:
    """The first of the viewer's accounts that need somebody, and how many do."""
    reasons = _reasons(interval_seconds, calls_per_hour)
    severity = sa.case(*((condition, place) for place, condition in enumerate(reasons.values())), else_=len(reasons))
    rows = db.session.execute(
        sa.select(
            Account.id,
            Account.account_name,
            Account.user_id,
            User.username,
            Account.error_code,
            Account.regions_read,
            Account.regions_enabled,
            Account.keys_changed_at,
            Account.event_at,
            Account.verified_at,
            Account.last_good_at,
            sa.func.count().over().label("total"),
            *(sa.case((condition, 1), else_=0).label(reason.value) for reason, condition in reasons.items()),
        )
        .join(User, User.id == Account.user_id)
        .where(visible_accounts(viewer), sa.or_(*reasons.values()))
        .order_by(severity, Account.account_name, Account.id)
        .limit(MOST)
    ).all()
    needs = [
        Need(
            account_pk=row.id,
            account_name=row.account_name,
            owner_pk=row.user_id,
            owner=row.username,
            reasons=[reason for reason in reasons if getattr(row, reason.value)],
            error_code=row.error_code,
            regions_read=row.regions_read,
            regions_enabled=row.regions_enabled,
            keys_changed_at=row.keys_changed_at,
            event_at=row.event_at,
            verified_at=row.verified_at,
            last_good_at=row.last_good_at,
        )
        for row in rows
    ]
    return needs, rows[0].total if rows else 0


def _reasons(interval_seconds: int, calls_per_hour: int) -> Mapping[Reason, sa.ColumnElement[bool]]:
    """The condition of each reason on `accounts`. Of those that tell of the last try an account has one at most."""
    now = utc_now()
    old = stale_before(interval_seconds)
    is_failed = Account.status == AccountStatus.FAILED
    is_working = Account.status.in_((AccountStatus.CONNECTED, AccountStatus.ACTIVE))
    is_well = Account.health.in_((AccountHealth.OK, AccountHealth.UNKNOWN))
    reasons = {
        Reason.FAILED: is_failed,
        Reason.REFUSED: ~is_failed & (Account.health == AccountHealth.REFUSED),
        Reason.UNAVAILABLE: ~is_failed & (Account.health == AccountHealth.UNAVAILABLE),
        Reason.ROLE_MISSING: (Account.status == AccountStatus.PENDING)
        & is_well
        & (Account.connection_method == ConnectionMethod.IAM_ROLE)
        & Account.role_arn.is_(None),
        Reason.NEVER_READ: is_working & is_well & Account.last_good_at.is_(None) & (Account.verified_at < old),
        Reason.STALE: is_working & is_well & (Account.last_good_at < old),
        Reason.PARTIAL: ~is_failed & (Account.health == AccountHealth.PARTIAL),
        Reason.EVENTS_STOPPED: Account.event_token_hash.is_not(None) & _changed_after(Account.event_at),
        Reason.OLD_KEYS: (Account.connection_method == ConnectionMethod.ACCESS_KEYS)
        & (Account.keys_changed_at < now - KEYS_ARE_OLD_AFTER),
    }
    if calls_per_hour > 0:
        reasons[Reason.OVER_BUDGET] = _calls_since(hour_of(now)) >= calls_per_hour
    return {reason: reasons[reason] for reason in Reason if reason in reasons}


def _changed_after(moment: InstrumentedAttribute[datetime | None]) -> sa.ColumnElement[bool]:
    """Whether an instance of the account changed its state on a later day, as far as we came to know."""
    changes = ChangeTally.started + ChangeTally.stopped + ChangeTally.terminated
    return sa.exists().where(ChangeTally.account_id == Account.id, ChangeTally.day > sa.func.date(moment), changes > 0)


def _calls_since(hour_at: datetime) -> sa.ColumnElement[int]:
    # Account by account, because the key begins with it: the hour alone has no index.
    calls = sa.select(sa.func.coalesce(sa.func.sum(ApiCall.count), 0))
    return calls.where(ApiCall.account_id == Account.id, ApiCall.hour_at == hour_at).scalar_subquery()
