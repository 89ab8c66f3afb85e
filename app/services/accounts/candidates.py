"""Replacing the credentials of an account that works: the new ones are tested before the old ones go.

The account, its instances, history and External ID stay what they are; a test that fails changes none of them.
"""

import sqlalchemy as sa

from app.aws.formats import PARTITIONS, parse_role_arn
from app.database import database_now, db
from app.errors import AwsFault
from app.models import Account, CredentialCandidate, User
from app.models.types import ConnectionMethod
from app.services import system_logs


def find_candidate(account: Account) -> CredentialCandidate | None:
    """What is proposed for an account that the caller may see: under test, or refused and not yet dismissed."""
    return db.session.scalar(sa.select(CredentialCandidate).where(CredentialCandidate.account_id == account.id))


def find_open_candidate(account: Account) -> CredentialCandidate | None:
    """What is proposed and still to be tested."""
    candidate = find_candidate(account)
    return candidate if candidate is not None and candidate.refused_at is None else None


def propose(
    account: Account,
    *,
    actor: User,
    role_arn: str | None = None,
    keys: tuple[str, str] | None = None,
) -> None:
    """Keep a role or keys to be tested, instead of whatever was proposed before."""
    drop_candidate(account)
    candidate = CredentialCandidate(
        account_id=account.id,
        connection_method=ConnectionMethod.IAM_ROLE if role_arn else ConnectionMethod.ACCESS_KEYS,
        role_arn=role_arn,
    )
    if keys is not None:
        candidate.set_access_keys(*keys)
    db.session.add(candidate)
    db.session.flush()
    system_logs.record(
        "audit",
        f"Other credentials proposed for account {account.account_id}",
        user=actor,
        account=account,
        connection_method=candidate.connection_method.value,
    )


def drop_candidate(account: Account) -> None:
    """Forget what is proposed, with its secrets; nothing happens where nothing is."""
    db.session.execute(sa.delete(CredentialCandidate).where(CredentialCandidate.account_id == account.id))


def adopt(account: Account, candidate: CredentialCandidate) -> None:
    """Use what has passed its test, and erase what it replaces.

    Raises:
        SecretError: the new keys do not open.
    """
    if candidate.connection_method is ConnectionMethod.IAM_ROLE:
        role = parse_role_arn(candidate.role_arn or "")
        account.role_arn = str(role)
        account.region = PARTITIONS[role.partition].default_region
        account.connection_method = ConnectionMethod.IAM_ROLE
        account.forget_access_keys()
    else:
        account.set_access_keys(*candidate.open_access_keys())
        account.connection_method = ConnectionMethod.ACCESS_KEYS
        account.role_arn = None
    db.session.delete(candidate)
    db.session.flush()
    system_logs.record(
        "audit",
        f"Credentials of account {account.account_id} replaced after their test",
        account=account,
        connection_method=account.connection_method.value,
    )


def refuse(account: Account, candidate: CredentialCandidate, fault: AwsFault) -> None:
    """Note why the test failed, and erase what failed it; the account goes on as it is."""
    candidate.refused_at = database_now()
    candidate.error_code, candidate.error_message = fault.code, str(fault)
    candidate.forget_access_keys()
    db.session.flush()
    system_logs.record(
        "audit",
        f"Other credentials for account {account.account_id} refused; the present ones stay",
        account=account,
        level_code=fault.code.value,
    )
