"""Reading accounts: always through what the viewer may see."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from app.database import db
from app.errors import NotFoundError
from app.models import Account, AccountBatch, AccountEvent, RegionScan, Run, User
from app.models.types import AccountHealth, AccountStatus, RegionResult
from app.services.scope import visible_accounts

#: How many of the newest rows of its history an account's page shows.
HISTORY_LENGTH = 50


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account in the list, with the run under way, if any."""

    account: Account
    run: Run | None


def list_accounts(
    viewer: User, *, status: AccountStatus | None = None, health: AccountHealth | None = None, q: str = ""
) -> Sequence[AccountRow]:
    """The viewer's accounts by name, each with its active run.

    `q` finds part of a name, or the beginning of an AWS account id.
    """
    query = _with_runs().where(visible_accounts(viewer)).options(joinedload(Account.user))
    if status:
        query = query.where(Account.status == status)
    if health:
        query = query.where(Account.health == health)
    if q:
        name = sa.func.lower(Account.account_name).contains(q.lower(), autoescape=True)
        # As it was typed, too: SQLite's lower() leaves letters beyond ASCII as they are.
        exact = Account.account_name.contains(q, autoescape=True)
        query = query.where(name | exact | Account.account_id.startswith(q, autoescape=True))
    return [AccountRow(account, run) for account, run in db.session.execute(query)]


def list_batch_accounts(batch: AccountBatch) -> Sequence[AccountRow]:
    """The accounts that were entered with a list of the caller's own, by name, each with its active run."""
    query = _with_runs().where(Account.batch_id == batch.id, Account.user_id == batch.user_id)
    return [AccountRow(account, run) for account, run in db.session.execute(query)]


def _with_runs() -> sa.Select[Account, Run | None]:
    return (
        sa.select(Account, Run)
        .outerjoin(Run, sa.and_(Run.account_id == Account.id, Run.active_key.is_not(None), _is_first_active()))
        .order_by(sa.func.lower(Account.account_name), Account.id)
    )


def _is_first_active() -> sa.ColumnElement[bool]:
    """Of two active runs (a discovery waiting for a verification to end) only the one that came first."""
    other = sa.orm.aliased(Run)
    return ~sa.exists().where(other.account_id == Run.account_id, other.active_key.is_not(None), other.id < Run.id)


def get_account(viewer: User, account_pk: int) -> Account:
    """One account of the viewer's.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    account = db.session.scalar(
        sa.select(Account).where(Account.id == account_pk, visible_accounts(viewer)).options(joinedload(Account.user))
    )
    if account is None:
        raise NotFoundError("There is no such account.")
    return account


def list_region_scans(account: Account) -> Sequence[RegionScan]:
    """Every region of the account: those with trouble first, then by name; those not enabled last."""
    trouble_first = sa.case(
        (RegionScan.result == RegionResult.READ, 1), (RegionScan.result == RegionResult.NOT_OPTED_IN, 2), else_=0
    )
    return db.session.scalars(
        sa.select(RegionScan).where(RegionScan.account_id == account.id).order_by(trouble_first, RegionScan.region)
    ).all()


def list_events(account: Account) -> Sequence[AccountEvent]:
    """The history of the account's status, newest first."""
    return db.session.scalars(
        sa.select(AccountEvent)
        .where(AccountEvent.account_id == account.id)
        .options(joinedload(AccountEvent.actor))
        .order_by(AccountEvent.id.desc())
        .limit(HISTORY_LENGTH)
    ).all()
