"""Connecting an account: a claim first, which keeps nobody out, then the proof by a job."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.aws.formats import PARTITIONS, new_external_id, parse_role_arn
from app.aws.grants import DEFAULT_GRANTS, Grant
from app.database import db
from app.errors import ConflictError, InvalidInputError
from app.models import Account, AccountEvent, Run, User
from app.models.types import AccountStatus, ConnectionMethod, RunKind
from app.services import runs, system_logs
from app.services.accounts import candidates
from app.services.accounts.grants import keep_grants
from app.services.accounts.status import set_standing
from app.services.identity import can_assume_roles


def connect_account(
    owner: User,
    *,
    account_id: str,
    account_name: str,
    connection_method: ConnectionMethod,
    partition: str = "aws",
    grants: Collection[Grant] = DEFAULT_GRANTS,
    access_key_id: str = "",
    secret_access_key: str = "",
) -> Account:
    """Enter an account for its owner, who chose to allow `grants`: pending until AWS has proved it.

    With keys the proof starts at once. A role is made afterwards with the External ID that this call makes: it is
    looked for (`look_for_role`), or named (`name_role`).

    Raises:
        ConflictError: the owner has entered this account already. Whether anybody else has is never told.
    """
    account = Account(
        user_id=owner.id,
        account_id=account_id,
        account_name=account_name,
        connection_method=connection_method,
        external_id=new_external_id(),
        partition=partition,
        region=PARTITIONS[partition].default_region,
    )
    keep_grants(account, grants)
    if connection_method is ConnectionMethod.ACCESS_KEYS:
        account.set_access_keys(access_key_id, secret_access_key)
    try:
        with db.session.begin_nested():
            db.session.add(account)
            db.session.flush()
    except IntegrityError:
        raise ConflictError("You have entered this AWS account already.", field="account_id") from None
    note = "Entered; waiting for the role."
    if connection_method is ConnectionMethod.ACCESS_KEYS:
        note = "Entered with access keys."
        runs.enqueue(RunKind.VERIFY_ACCOUNT, account=account, requested_by=owner)
    db.session.add(
        AccountEvent(
            account_id=account.id, actor_id=owner.id, status=account.status, health=account.health, message=note
        )
    )
    system_logs.record(
        "audit",
        f"Account {account_id} entered",
        user=owner,
        account=account,
        connection_method=connection_method.value,
    )
    return account


def look_for_role(account: Account, *, actor: User | None) -> bool:
    """Have the role that the template makes looked for until it is there, so that nobody need paste its ARN.

    Without an actor it is the schedule's work, which lets what people wait for go first. False, and nothing is done,
    while this installation cannot assume any.
    """
    if not can_assume_roles():
        return False
    runs.enqueue(RunKind.VERIFY_ACCOUNT, account=account, requested_by=actor)
    return True


def name_role(account: Account, role_arn: str, *, actor: User) -> None:
    """Take the role through which the account is to be read, and have it verified.

    A working account goes on as it is until the role has passed its test (`candidates`).

    Raises:
        InvalidInputError: not a role's ARN, or one of another account or partition.
    """
    try:
        role = parse_role_arn(role_arn)
    except ValueError as error:
        raise InvalidInputError(str(error), field="role_arn") from None
    if role.account_id != account.account_id:
        raise InvalidInputError(
            f"This role is in another account: its ARN says {role.account_id}, and this account is "
            f"{account.account_id}.",
            field="role_arn",
        )
    _cancel_active_run(account, actor)
    if account.is_working:
        candidates.propose(account, actor=actor, role_arn=str(role))
        runs.enqueue(RunKind.VERIFY_ACCOUNT, account=account, requested_by=actor)
        return
    account.role_arn = str(role)
    account.partition = role.partition
    account.region = PARTITIONS[role.partition].default_region
    account.connection_method = ConnectionMethod.IAM_ROLE
    account.forget_access_keys()
    _start_over(account, actor, note="Role named; asking AWS.")


def replace_keys(account: Account, access_key_id: str, secret_access_key: str, *, actor: User) -> None:
    """Take other keys for an account, and have them verified; a working one goes on as it is until they have passed."""
    _cancel_active_run(account, actor)
    if account.is_working:
        candidates.propose(account, actor=actor, keys=(access_key_id, secret_access_key))
        runs.enqueue(RunKind.VERIFY_ACCOUNT, account=account, requested_by=actor)
        return
    account.set_access_keys(access_key_id, secret_access_key)
    account.connection_method = ConnectionMethod.ACCESS_KEYS
    account.role_arn = None
    _start_over(account, actor, note="Keys replaced; asking AWS.")


def withdraw_candidate(account: Account, *, actor: User) -> None:
    """Forget the credentials that were proposed, tested or not; the account goes on as it is."""
    active = runs.find_active_run(account, RunKind.VERIFY_ACCOUNT)
    if active is not None:
        runs.cancel_run(viewer=actor, run_id=active.id)
    candidates.drop_candidate(account)
    system_logs.record("audit", f"Proposed credentials of {account.account_id} withdrawn", user=actor, account=account)


def _cancel_active_run(account: Account, actor: User) -> None:
    """It works with the credentials that are being replaced. Before anything is written to the account: a job locks
    its run first and the account second, and two orders would be a deadlock."""
    active = runs.find_active_run(account)
    if active is not None:
        runs.cancel_run(viewer=actor, run_id=active.id)


def _start_over(account: Account, actor: User, *, note: str) -> None:
    candidates.drop_candidate(account)
    account.refusals = 0
    # A working account stays what it is until AWS has spoken; a failed one is in question again.
    status = account.status if account.is_working else AccountStatus.PENDING
    set_standing(account, status=status, health=account.health, note=note, actor=actor)
    system_logs.record(
        "audit",
        f"Credentials of account {account.account_id} set",
        user=actor,
        account=account,
        connection_method=account.connection_method.value,
    )
    request_verification(account, actor=actor)


def request_verification(account: Account, *, actor: User) -> None:
    """Have AWS asked again whether we may read the account.

    One that failed is in question again: what its owner has mended by now may take AWS a minute to know.

    Raises:
        ConflictError: there is nothing to verify yet.
    """
    if account.connection_method is ConnectionMethod.IAM_ROLE and not account.role_arn:
        if not look_for_role(account, actor=actor):
            raise ConflictError("This installation has no AWS identity yet, so it can look for no role.")
    else:
        runs.enqueue(RunKind.VERIFY_ACCOUNT, account=account, requested_by=actor)
        if account.status is AccountStatus.FAILED and account.connection_method is ConnectionMethod.IAM_ROLE:
            account.refusals = 0
            set_standing(
                account, status=AccountStatus.PENDING, health=account.health, note="Asking AWS again.", actor=actor
            )
    system_logs.record("audit", f"Verification of {account.account_id} requested", user=actor, account=account)


def request_discovery(account: Account, *, actor: User) -> None:
    """Have the account's regions read now.

    Raises:
        ConflictError: the account is not connected.
    """
    if not account.is_working:
        raise ConflictError("The account is not connected. Verify it first.")
    runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=account, requested_by=actor)
    system_logs.record("audit", f"Discovery of {account.account_id} requested", user=actor, account=account)


def cancel_work(account: Account, run: Run, *, actor: User) -> None:
    """Stop a verification or discovery that waits or is under way; what it has read by now stays.

    Raises:
        ConflictError: it is over already.
    """
    runs.cancel_run(viewer=actor, run_id=run.id)
    system_logs.record(
        "audit", f"{run.kind.value} of {account.account_id} canceled", user=actor, account=account, run_id=run.id
    )


def rename_account(account: Account, account_name: str, *, actor: User) -> None:
    """Give the account another name here; AWS is not told."""
    before, account.account_name = account.account_name, account_name
    db.session.flush()
    system_logs.record("audit", f"Account {account.account_id} renamed", user=actor, account=account, before=before)


def disconnect_account(account: Account, *, confirmation: str, actor: User) -> None:
    """Delete the account with its instances, history and credentials; only the log of acts keeps that it was here.

    Raises:
        InvalidInputError: `confirmation` is not the account's name.
    """
    if confirmation.strip() != account.account_name:
        raise InvalidInputError("Type the account's name exactly as it stands above.", field="confirmation")
    system_logs.record(
        "audit", f"Account {account.account_id} disconnected", user=actor, account=account, name=account.account_name
    )
    # By statement, so that the database cascades: a fleet need not be loaded to be deleted.
    db.session.execute(sa.delete(Account).where(Account.id == account.id))
    db.session.expunge(account)
