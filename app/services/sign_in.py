"""Signing in: tries counted in the database before the password is looked at, one answer for every failure.

A try costs the same whoever it names. Counters are per name at an address and per address, so that a stranger
elsewhere cannot lock anybody out (docs/decisions/0006-sign-in-limits.md).
"""

import hashlib
import ipaddress
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bulk import own_insert
from app.database import db, own_transaction
from app.errors import SpotkeeperError
from app.models import SignInAttempt, User
from app.models.mixins import utc_now
from app.models.types import LogLevel
from app.services import system_logs
from app.services.passwords import hash_password, needs_rehash, verify_password

WINDOW = timedelta(minutes=5)
TRIES_PER_NAME = 10
TRIES_PER_ADDRESS = 50

#: The one thing that a failed sign-in says.
REFUSED = "The name or the password is wrong, or the account is disabled."


class SignInRefusedError(SpotkeeperError):
    """Wrong name, wrong password, disabled, or an initial password that ran out: never told apart."""


class TooManyTriesError(SpotkeeperError):
    """The password was not even looked at; `retry_after_seconds` says when the next try counts."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("There were too many tries. Wait a few minutes and try again.")
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class _Known:
    """What is read of a user before the password is checked, outside any transaction."""

    id: int
    password_hash: str
    is_usable: bool


def sign_in(name: str, password: str, *, ip_address: str) -> User:
    """The user whom the name (or e-mail address) and password belong to.

    Must be called before the current session has begun a transaction: it counts in one of its own. Adds an audit row
    either way, to be committed by the caller also when this raises.

    Raises:
        SignInRefusedError: no.
        TooManyTriesError: more than 10 tries for a name from an address, or 50 from an address, in five minutes.
    """
    name = normalize_name(name)
    network = network_of(ip_address)
    with own_transaction() as own:
        retry_after = _count_try(own, name, network)
        known = _find(own, name) if retry_after is None else None
    if retry_after is not None:
        system_logs.record("audit", "Sign-in refused: too many tries", level=LogLevel.WARNING, ip_address=ip_address)
        raise TooManyTriesError(retry_after)
    # No transaction is open meanwhile: hashing takes long, and on SQLite nobody else could write.
    is_right = verify_password(known.password_hash if known else None, password)
    if known is None or not is_right or not known.is_usable:
        system_logs.record(
            "audit",
            "Sign-in failed",
            level=LogLevel.WARNING,
            ip_address=ip_address,
            user_id=known.id if known else None,
        )
        raise SignInRefusedError(REFUSED)
    user = db.session.get_one(User, known.id)
    if not user.is_enabled or user.password_hash != known.password_hash:
        raise SignInRefusedError(REFUSED)  # changed in the meantime
    if needs_rehash(known.password_hash):
        user.password_hash = hash_password(password)
    user.last_signed_in_at = utc_now()
    _forget_tries(name, network)
    system_logs.record("audit", "Signed in", user=user, ip_address=ip_address)
    db.session.flush()
    return user


def confirm_password(user: User, password: str, *, ip_address: str) -> None:
    """Whether this signed-in user knows the password still; tries count as those of signing in do.

    Raises:
        SignInRefusedError, TooManyTriesError: as `sign_in`.
    """
    # In the current transaction, which on SQLite holds the one lock for writing already.
    retry_after = _count_try(db.session(), user.username, network_of(ip_address))
    if retry_after is not None:
        raise TooManyTriesError(retry_after)
    if not verify_password(user.password_hash, password):
        system_logs.record("audit", "Password confirmation failed", level=LogLevel.WARNING, user=user)
        raise SignInRefusedError(REFUSED)
    _forget_tries(user.username, network_of(ip_address))


def normalize_name(name: str) -> str:
    """A name as stored and counted: case, surrounding space and look-alike forms of Unicode make no difference."""
    return unicodedata.normalize("NFKC", name).strip().lower()[:254]


def network_of(ip_address: str) -> str:
    """What is counted of an address: an IPv6 customer has a whole /64 to try from, so that is one address."""
    try:
        address = ipaddress.ip_address(ip_address.partition("%")[0])
    except ValueError:
        return ip_address
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def prune_attempts(*, older_than: datetime) -> int:
    """Delete counters whose window began before that moment; returns how many."""
    result: sa.CursorResult[Any] = db.session.execute(  # type: ignore[assignment]
        sa.delete(SignInAttempt).where(SignInAttempt.window_started_at < older_than)
    )
    return result.rowcount


def _find(own: Session, name: str) -> _Known | None:
    user = own.scalar(
        sa.select(User).where(sa.or_(User.username == name, User.email == name)).order_by(User.id).limit(1)
    )
    if user is None:
        return None
    expires_at = user.password_expires_at
    return _Known(
        user.id, user.password_hash, is_usable=user.is_enabled and (expires_at is None or expires_at > utc_now())
    )


def _keys(name: str, network: str) -> tuple[str, str]:
    return _hash(f"name {name} at {network}"), _hash(f"address {network}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _count_try(own: Session, name: str, network: str) -> int | None:
    """Count this try under both keys; seconds to wait when either is over its limit, else None."""
    now = utc_now()
    by_name, by_address = _keys(name, network)
    waits = []
    for key, limit in ((by_address, TRIES_PER_ADDRESS), (by_name, TRIES_PER_NAME)):
        attempts, started_at = _increment(own, key, now)
        if attempts > limit:
            waits.append(max(1, int((started_at + WINDOW - now).total_seconds()) + 1))
    return max(waits) if waits else None


def _increment(own: Session, key: str, now: datetime) -> tuple[int, datetime]:
    """Add one in a single statement, so that parallel tries are all counted; a window that is over starts anew."""
    table = cast(sa.Table, SignInAttempt.__table__)
    is_over = table.c.window_started_at <= now - WINDOW
    # In this order: MySQL assigns from left to right, and the count must still see the old window.
    changes = {
        "attempts": sa.case((is_over, 1), else_=table.c.attempts + 1),
        "window_started_at": sa.case((is_over, now), else_=table.c.window_started_at),
    }
    values = {"key_hash": key, "attempts": 1, "window_started_at": now}
    insert = own_insert(own, table).values(values)
    if own.get_bind().dialect.name == "mysql":
        own.execute(insert.on_duplicate_key_update(list(changes.items())))
    else:
        own.execute(insert.on_conflict_do_update(index_elements=["key_hash"], set_=changes))
    row = own.execute(
        sa.select(SignInAttempt.attempts, SignInAttempt.window_started_at).where(SignInAttempt.key_hash == key)
    ).one()
    return row.attempts, row.window_started_at


def _forget_tries(name: str, network: str) -> None:
    """After success: the name's counter goes; of the address only this try, lest one's own sign-ins hide a spray."""
    by_name, by_address = _keys(name, network)
    # In the order in which a try locks them, lest the two wait for each other.
    db.session.execute(
        sa.update(SignInAttempt)
        .where(SignInAttempt.key_hash == by_address, SignInAttempt.attempts > 0)
        .values(attempts=SignInAttempt.attempts - 1)
    )
    db.session.execute(sa.delete(SignInAttempt).where(SignInAttempt.key_hash == by_name))
