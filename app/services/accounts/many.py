"""Connecting many accounts at once: each with an External ID of its own, and one template that makes all the roles."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.aws import stack_set
from app.aws.formats import DEFAULT_ROLE_NAME, PARTITIONS, RoleArn, parse_role_arn
from app.aws.grants import DEFAULT_GRANTS, Grant
from app.database import db
from app.errors import ConflictError, NotFoundError
from app.models import Account, AccountBatch, Run, User
from app.models.types import ConnectionMethod
from app.services.accounts import connect
from app.services.accounts.account_list import BadLine, GoodLine
from app.services.accounts.connection import expected_role_arn
from app.services.accounts.grants import grants_of
from app.services.accounts.listing import AccountRow, list_batch_accounts
from app.services.identity import can_assume_roles, find_identity

ALREADY_HERE = "You have entered this account already; it stays as it is."


@dataclass(frozen=True, slots=True)
class BatchSetup:
    """What makes the roles of a list's accounts that lie in one partition."""

    partition: str
    account_ids: Sequence[str]
    template: str
    commands: str


def connect_many(
    owner: User, good: Sequence[GoodLine], bad: Sequence[BadLine], *, grants: Collection[Grant] = DEFAULT_GRANTS
) -> AccountBatch:
    """Enter the accounts of a list and have their roles looked for; what could not be entered is kept with its reason.

    Whether an account is somebody else's is never told: it is entered like any other, and cannot be proved.
    """
    batch = AccountBatch(user_id=owner.id)
    db.session.add(batch)
    db.session.flush()
    refused = [*bad]
    mine = set(db.session.scalars(sa.select(Account.account_id).where(Account.user_id == owner.id)))
    for line in good:
        if line.role.account_id in mine:
            refused.append(BadLine(line.number, line.text, ALREADY_HERE))
            continue
        try:
            _enter(owner, line, batch, grants)
        except ConflictError:  # entered between the two statements
            refused.append(BadLine(line.number, line.text, ALREADY_HERE))
    batch.refused_lines = [
        {"number": line.number, "text": line.text, "reason": line.reason}
        for line in sorted(refused, key=lambda line: line.number)
    ]
    db.session.flush()
    return batch


def _enter(owner: User, line: GoodLine, batch: AccountBatch, grants: Collection[Grant]) -> None:
    account = connect.connect_account(
        owner,
        account_id=line.role.account_id,
        account_name=line.name,
        connection_method=ConnectionMethod.IAM_ROLE,
        partition=line.role.partition,
        grants=grants,
    )
    account.batch_id = batch.id
    if (line.role.path, line.role.name) != ("/", DEFAULT_ROLE_NAME):
        account.role_arn = str(line.role)
    connect.look_for_role(account, actor=None)


def get_batch(viewer: User, batch_id: int) -> AccountBatch:
    """A list of the viewer's own: it shows External IDs, so nobody else's.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    batch = db.session.scalar(
        sa.select(AccountBatch).where(AccountBatch.id == batch_id, AccountBatch.user_id == viewer.id)
    )
    if batch is None:
        raise NotFoundError("There is no such list.")
    return batch


def list_batches(viewer: User, limit: int = 10) -> Sequence[tuple[AccountBatch, int]]:
    """The viewer's own latest lists, each with how many of its accounts are still here."""
    count = sa.func.count(Account.id)
    query = (
        sa.select(AccountBatch, count)
        .outerjoin(Account, Account.batch_id == AccountBatch.id)
        .where(AccountBatch.user_id == viewer.id)
        .group_by(AccountBatch.id)
        .order_by(AccountBatch.id.desc())
        .limit(limit)
    )
    return [(batch, number) for batch, number in db.session.execute(query)]


def is_to_retest(account: Account, run: Run | None) -> bool:
    """Whether the account did not connect, and nothing is under way about it."""
    return run is None and not account.is_working


def retest(batch: AccountBatch, *, actor: User) -> int:
    """Ask AWS again about those of the list that did not connect, and about no other; returns how many.

    Raises:
        ConflictError: this installation cannot assume roles yet.
    """
    if not can_assume_roles():
        raise ConflictError("This installation has no AWS identity yet, so it can look for no role.")
    failed = [row.account for row in list_batch_accounts(batch) if is_to_retest(row.account, row.run)]
    for account in failed:
        connect.request_verification(account, actor=actor)
    return len(failed)


def describe_batch(batch: AccountBatch, rows: Sequence[AccountRow]) -> Sequence[BatchSetup]:
    """How to make the roles, by partition; nothing while we do not know who we are in AWS, or once all are connected.

    All of the list's, also those that are there: a StackSet that forgot one could not be brought up to date.
    """
    identity = find_identity()
    if identity is None or not identity.account_id:
        return []
    described = []
    for partition in PARTITIONS:
        accounts = [row.account for row in rows if row.account.partition == partition]
        if all(account.is_working for account in accounts):
            continue
        wanted = [stack_set.WantedRole(_role(account), account.external_id) for account in accounts]
        ids = [account.account_id for account in accounts]
        name = f"spotkeeper-access-{batch.id % 1_000_000:06d}"
        described.append(
            BatchSetup(
                partition=partition,
                account_ids=ids,
                template=stack_set.roles_template(
                    identity.account_id, identity.arn, wanted, partition=partition, grants=grants_of(accounts[0])
                ),
                commands=stack_set.stack_set_commands(PARTITIONS[partition].default_region, name, ids),
            )
        )
    return described


def _role(account: Account) -> RoleArn:
    return parse_role_arn(expected_role_arn(account))
