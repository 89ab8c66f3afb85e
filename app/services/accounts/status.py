"""The state machine of an account: pending -> connected -> active | failed, with health beside it.

A change is a compare-and-set on (id, status, version) and leaves one row of history. Our own trouble, or AWS's,
changes the health and never the status.
"""

import random
from datetime import datetime, timedelta
from typing import cast

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult

from app.database import database_now, db
from app.errors import DEFINITE, NOT_THE_ACCOUNTS_FAULT, AwsFault, ConflictError, FaultCode
from app.models import Account, AccountEvent, User
from app.models.types import AccountHealth, AccountStatus
from app.services.remedies import REMEDIES

#: A working account fails at this many refusals in a row (a definite code fails it at once).
REFUSALS_UNTIL_FAILED = 3

#: What says that AWS does not accept our identity; a missing permission is not of that kind.
IDENTITY_REFUSED = DEFINITE | {FaultCode.ACCESS_DENIED, FaultCode.EXPIRED_CREDENTIALS}

#: Times between tries while we do not get through, whoever's fault it is: doubling from one minute to one hour.
FIRST_RETRY, SLOWEST_RETRY = timedelta(minutes=1), timedelta(hours=1)


def set_standing(
    account: Account,
    *,
    status: AccountStatus,
    health: AccountHealth,
    code: FaultCode | None = None,
    error_message: str = "",
    note: str,
    actor: User | None = None,
) -> None:
    """Move an account, and write its history where anything that people see has changed.

    Raises:
        ConflictError: somebody else moved it meanwhile.
    """
    changed = (account.status, account.health, account.error_code) != (status, health, code)
    db.session.flush()
    result = cast(
        "CursorResult[object]",
        db.session.execute(
            sa.update(Account)
            .where(Account.id == account.id, Account.status == account.status, Account.version == account.version)
            .values(
                status=status,
                health=health,
                error_code=code,
                error_message=error_message,
                version=Account.version + 1,
            )
            .execution_options(synchronize_session=False)
        ),
    )
    if result.rowcount != 1:
        raise ConflictError("The account has changed meanwhile. Look again, and repeat what you wanted to do.")
    db.session.refresh(account)
    if changed or actor is not None:
        db.session.add(
            AccountEvent(
                account_id=account.id,
                actor_id=actor.id if actor else None,
                status=status,
                health=health,
                error_code=code,
                message=note,
            )
        )
        db.session.flush()


def record_fault(account: Account, fault: AwsFault) -> None:
    """Note that a try did not get through: blame the account only for what is the account's.

    The next try is later each time, at most hourly, until one gets through (`record_success`).
    """
    now = database_now()
    account.last_tried_at = now
    status, health = account.status, AccountHealth.UNAVAILABLE
    if fault.code not in NOT_THE_ACCOUNTS_FAULT:
        health = AccountHealth.REFUSED
        if fault.code in IDENTITY_REFUSED:
            account.refusals += 1
            if not account.is_working or fault.code in DEFINITE or account.refusals >= REFUSALS_UNTIL_FAILED:
                status = AccountStatus.FAILED
    if fault.code in IDENTITY_REFUSED:
        account.stumbles = 0  # AWS answered
    else:
        account.stumbles += 1
    account.next_due_at = now + retry_delay(account.stumbles or account.refusals)
    set_standing(
        account,
        status=status,
        health=health,
        code=fault.code,
        error_message=str(fault),
        note=REMEDIES[fault.code].title,
    )


def record_success(account: Account) -> None:
    """Note that a try got through: the next trouble begins with short waits again."""
    account.last_tried_at = database_now()
    account.refusals = account.stumbles = 0


def retry_delay(failures: int) -> timedelta:
    """How long to wait after the nth failure in a row: 1, 2, 4 ... 60 minutes, each with up to a quarter more."""
    base = min(FIRST_RETRY * 2 ** min(max(failures - 1, 0), 10), SLOWEST_RETRY)
    return jittered(base)


def jittered(interval: timedelta) -> timedelta:
    """The interval and up to a quarter more, so that accounts connected together do not stay in step."""
    return interval * (1 + random.uniform(0, 0.25))  # noqa: S311 - spreading load needs no secrecy


def next_due(now: datetime, interval_seconds: int) -> datetime:
    """When to discover again after a discovery that went well."""
    return now + jittered(timedelta(seconds=interval_seconds))
