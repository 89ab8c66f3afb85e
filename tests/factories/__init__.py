"""Rows for tests, as small as they may be: each function adds to the session of the open app context and flushes.

Open a context only to seed (`with app.app_context(): ...; db.session.commit()`): one held open round a client
would make Flask-Login remember the first viewer for all.
"""

import itertools
from datetime import UTC, datetime
from typing import Any

from app.database import db
from app.models import Account, Instance, User
from app.models.types import AccountHealth, AccountStatus, AuthSource, AuthStatus, ConnectionMethod, Role
from app.services.instances.tallies import refresh_tallies
from app.services.passwords import hash_password

PASSWORD = "correct horse battery staple"

_numbers = itertools.count(1)
_hashes: dict[str, str] = {}


def password_hash(password: str = PASSWORD) -> str:
    """A real argon2id hash, made once a process: hashing for each user would be most of the suite's time."""
    if password not in _hashes:
        _hashes[password] = hash_password(password)
    return _hashes[password]


def make_user(username: str | None = None, *, role: Role = Role.CLIENT, **values: Any) -> User:
    username = username or f"user{next(_numbers)}"
    values = {"email": f"{username}@example.com", "password_hash": password_hash(), **values}
    return _add(User(username=username, role=role, **values))


def make_account(user: User, **values: Any) -> Account:
    """A pending account by role, unless told otherwise; `status=ACTIVE` fills in what that needs."""
    number = next(_numbers)
    account_id = values.pop("account_id", f"{111_100_000_000 + number}")
    defaults: dict[str, Any] = {
        "user_id": user.id,
        "account_id": account_id,
        "account_name": f"Account {number}",
        "connection_method": ConnectionMethod.IAM_ROLE,
        "external_id": f"{number:032x}",
    }
    if values.get("status") in {AccountStatus.CONNECTED, AccountStatus.ACTIVE}:
        defaults |= {
            "verified_account_id": account_id,
            "role_arn": f"arn:aws:iam::{account_id}:role/Spotkeeper",
            "verified_at": datetime.now(UTC),
            "health": AccountHealth.OK,
        }
    return _add(Account(**{**defaults, **values}))


def make_instance(account: Account, **values: Any) -> Instance:
    """A running, authorized, on-demand instance, unless told otherwise."""
    number = next(_numbers)
    name = values.pop("name", f"web-{number}")
    status = values.get("auth_status", AuthStatus.AUTHORIZED)
    defaults: dict[str, Any] = {
        "account_id": account.id,
        "instance_id": f"i-{number:017x}",
        "instance_type": "m5.large",
        "state": "running",
        "lifecycle": "on-demand",
        "auth_status": status,
        "auth_source": AuthSource.BASELINE if status is AuthStatus.AUTHORIZED else AuthSource.NONE,
        "region": "us-east-1",
        "availability_zone": "us-east-1a",
        "name": name,
        "name_key": name.casefold(),
    }
    instance: Instance = _add(Instance(**{**defaults, **values}))
    refresh_tallies(account.id)
    return instance


def _add(row: Any) -> Any:
    db.session.add(row)
    db.session.flush()
    return row
