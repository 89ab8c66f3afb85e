"""What each region of an account lets us do: the grid of the account's page, and what to add where something lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import sqlalchemy as sa

from app import bulk
from app.aws import cloudformation
from app.aws.grants import Grant, ec2_actions
from app.database import database_now, db, own_transaction, retry_transient
from app.errors import ConflictError, FaultCode
from app.models import Account, RegionPermission, RegionScan, Run, User
from app.models.types import AccountHealth, AccountStatus, PermissionResult, RegionResult, RunKind
from app.services import runs, system_logs
from app.services.accounts.grants import grants_of

if TYPE_CHECKING:  # the web process must not import boto3
    from app.aws.permissions import Permission

RESULTS = {
    None: PermissionResult.ALLOWED,
    FaultCode.DENIED_IAM: PermissionResult.DENIED_IAM,
    FaultCode.DENIED_SCP: PermissionResult.DENIED_SCP,
}

#: How many checks one turn of the scheduler queues at most.
BATCH = 20


@dataclass(frozen=True, slots=True)
class RegionRow:
    """One line of the grid. `cells` follow the grid's actions; a region that is not enabled has none."""

    region: str
    is_enabled: bool
    cells: Sequence[RegionPermission | None] = ()
    """None where an action has not been asked for yet."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """An action that is not allowed everywhere, and where not."""

    action: str
    regions: Sequence[str]
    message: str
    """AWS's words for the first of the regions."""

    statement: str
    """The policy statement that allows it, as JSON. Adding it helps against IAM's denials alone."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The regions of an account by what they let us do."""

    checked_at: datetime | None
    actions: Sequence[str]
    rows: Sequence[RegionRow]
    missing: Sequence[Lacking]
    """Denied by IAM: the account's owner adds the statement."""

    forbidden: Sequence[Lacking]
    """Denied by a policy of the organization: its administrators decide."""

    unknown: int
    """In how many cells AWS did not say."""

    @property
    def asked(self) -> int:
        """In how many regions AWS was asked."""
        return sum(row.is_enabled for row in self.rows)


def record_permissions(account_pk: int, told: "Sequence[Permission]") -> None:
    """Replace what was known of the account by what AWS has said now, in the current transaction."""
    now = database_now()
    db.session.flush()
    table = cast(sa.Table, RegionPermission.__table__)
    rows = [
        (
            account_pk,
            permission.region,
            permission.action,
            RESULTS.get(permission.fault, PermissionResult.UNKNOWN),
            permission.aws_code[:128],
            permission.message,
            now,
        )
        for permission in sorted(told, key=lambda permission: (permission.region, permission.action))
    ]
    columns = [column.name for column in table.columns]
    bulk.upsert_rows(db.session.connection(), table, columns, rows, key=["account_id", "region", "action"])
    # What is older was not asked for now: a region that is closed, an action we no longer need.
    db.session.execute(
        sa.delete(RegionPermission)
        .where(RegionPermission.account_id == account_pk, RegionPermission.checked_at < now)
        .execution_options(synchronize_session=False)
    )
    account = db.session.get_one(Account, account_pk)
    account.permissions_checked_at = now
    db.session.flush()


def list_permission_grid(account: Account) -> Grid:
    """The grid of an account that the caller may see; without rows before the first check."""
    known = db.session.scalars(
        sa.select(RegionPermission)
        .where(RegionPermission.account_id == account.id)
        .order_by(RegionPermission.region, RegionPermission.action)
    ).all()
    closed = db.session.scalars(
        sa.select(RegionScan.region).where(
            RegionScan.account_id == account.id, RegionScan.result == RegionResult.NOT_OPTED_IN
        )
    ).all()
    actions = ec2_actions(grants_of(account))
    # What is not wanted any more is not lacking, either.
    known = [cell for cell in known if cell.action in actions]
    cells = {(cell.region, cell.action): cell for cell in known}
    asked = {cell.region for cell in known}
    rows = [RegionRow(region, True, [cells.get((region, action)) for action in actions]) for region in sorted(asked)]
    if known:
        rows += [RegionRow(region, False) for region in sorted(set(closed) - asked)]
    return Grid(
        checked_at=account.permissions_checked_at,
        actions=actions,
        rows=rows,
        missing=_lacking(known, PermissionResult.DENIED_IAM, actions, account.partition),
        forbidden=_lacking(known, PermissionResult.DENIED_SCP, actions, account.partition),
        unknown=sum(cell.result is PermissionResult.UNKNOWN for cell in known),
    )


def asked_actions(account_pk: int) -> tuple[str, ...]:
    """What a check asks for: no more than the account's owner chose to allow."""
    account = db.session.get(Account, account_pk)
    return ec2_actions(grants_of(account)) if account is not None else ()


def may_list_organization(account_pk: int) -> bool:
    """Whether the account's owner chose to have its organization listed."""
    account = db.session.get(Account, account_pk)
    return account is not None and Grant.ORGANIZATION in grants_of(account)


def known_regions(account_pk: int) -> list[str]:
    """The regions that were enabled for the account when it was last read."""
    query = sa.select(RegionScan.region).where(
        RegionScan.account_id == account_pk, RegionScan.result != RegionResult.NOT_OPTED_IN
    )
    return list(db.session.scalars(query.order_by(RegionScan.region)))


def request_permission_check(account: Account, *, actor: User) -> None:
    """Have AWS asked what the account lets us do.

    Raises:
        ConflictError: the account has not been verified.
    """
    if not account.is_working:
        raise ConflictError("The account has to be verified first.")
    runs.enqueue(RunKind.CHECK_PERMISSIONS, account=account, requested_by=actor)
    system_logs.record("audit", f"Permission check of {account.account_id} requested", user=actor, account=account)


def enqueue_permission_checks(*, every_seconds: int) -> int:
    """Queue a check for accounts that were verified since the last, or had none for so long; returns how many.

    Not for those that do not answer: it would only say so again. One that was queued and did not get through waits
    as long as one that did.
    """
    with own_transaction() as session:
        oldest = database_now(session) - timedelta(seconds=every_seconds)
        checked = Account.permissions_checked_at
        tried_lately = sa.exists().where(
            Run.account_id == Account.id,
            Run.kind == RunKind.CHECK_PERMISSIONS,
            # The database's clock, as `verified_at` is.
            Run.due_at > oldest,
            Run.due_at >= Account.verified_at,
        )
        due = session.scalars(
            sa.select(Account.id)
            .where(
                Account.status.in_([AccountStatus.CONNECTED, AccountStatus.ACTIVE]),
                Account.health != AccountHealth.UNAVAILABLE,
                sa.or_(checked.is_(None), checked < oldest, checked < Account.verified_at),
                ~tried_lately,
            )
            .order_by(checked, Account.id)
            .limit(BATCH)
        ).all()
    for account_pk in due:
        _enqueue_check(account_pk)
    return len(due)


@retry_transient
def _enqueue_check(account_pk: int) -> None:
    with own_transaction() as session:
        account = session.get(Account, account_pk)
        if account is not None:
            runs.enqueue(RunKind.CHECK_PERMISSIONS, account=account, session=session)


def _lacking(
    known: Sequence[RegionPermission], result: PermissionResult, actions: Sequence[str], partition: str
) -> list[Lacking]:
    lacking = []
    for action in actions:
        cells = [cell for cell in known if cell.action == action and cell.result is result]
        if cells:
            statement = cloudformation.as_json(cloudformation.read_statement([action], partition))
            lacking.append(Lacking(action, [cell.region for cell in cells], cells[0].message, statement))
    return lacking
