"""The secret by which an account's events are known: shown once when it is made, and kept as a hash."""

import hashlib
import re
import secrets

import sqlalchemy as sa

from app.database import db
from app.errors import ConflictError
from app.models import Account, User
from app.services import system_logs

#: Where it travels.
TOKEN_HEADER = "X-Spotkeeper-Token"  # noqa: S105 - the header's name

#: 256 bits.
TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def switch_events_on(account: Account, *, actor: User) -> str:
    """Make the account's token, or another one in its place; the old one is worth nothing from then on.

    Returns:
        The token, which cannot be shown again.

    Raises:
        ConflictError: nobody has proved yet that the account is theirs.
    """
    if account.verified_account_id is None:
        raise ConflictError("Verify the account first: until then nobody knows whose events these would be.")
    token = secrets.token_urlsafe(TOKEN_BYTES)
    is_new = account.event_token_hash is None
    account.event_token_hash = _hash(token)
    db.session.flush()
    did = "switched on" if is_new else "given a new token"
    system_logs.record("audit", f"Events of account {account.account_id} {did}", user=actor, account=account)
    return token


def switch_events_off(account: Account, *, actor: User) -> None:
    """Take no more events of the account; those that came are kept as long as any."""
    if account.event_token_hash is None:
        return
    account.event_token_hash = None
    db.session.flush()
    system_logs.record("audit", f"Events of account {account.account_id} switched off", user=actor, account=account)


def find_account(token: str) -> int | None:
    """`accounts.id` of the account that has this token, if any. By its hash, so that no comparison tells how much of a
    guess was right."""
    if not _TOKEN.fullmatch(token):
        return None
    return db.session.scalar(sa.select(Account.id).where(Account.event_token_hash == _hash(token)))


def find_account_by_aws_id(account_id: str) -> int | None:
    """`accounts.id` of the account that has been proved to be this one."""
    return db.session.scalar(sa.select(Account.id).where(Account.verified_account_id == account_id))


def _hash(token: str) -> str:
    # Not a slow hash: there is nothing to guess in 256 random bits.
    return hashlib.sha256(token.encode()).hexdigest()
