"""Who may call the simulation: users' keys, root keys, and the sessions that AssumeRole gives out."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from demo.aws.policies import Policy

ALLOW_ALL: Policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True, slots=True)
class Caller:
    """One set of credentials and whom they belong to."""

    access_key_id: str
    secret_access_key: str
    account_id: str
    arn: str
    user_id: str
    policies: tuple[Policy, ...]
    session_policy: Policy | None = None
    session_token: str = ""
    expires_at: datetime | None = None

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and datetime.now(UTC) >= self.expires_at


class Callers:
    """Every set of credentials that the simulation has given out."""

    def __init__(self) -> None:
        self._by_key: dict[str, Caller] = {}

    def find(self, access_key_id: str) -> Caller | None:
        return self._by_key.get(access_key_id)

    def forget(self, access_key_id: str) -> None:
        """Delete a key, as its owner may at any time."""
        self._by_key.pop(access_key_id, None)

    def add_user(
        self,
        account_id: str,
        name: str,
        *,
        policies: Sequence[Policy] = (ALLOW_ALL,),
        access_key_id: str = "",
        secret_access_key: str = "",
    ) -> Caller:
        """Keys of a user; `root` is the account's root user."""
        arn = f"arn:aws:iam::{account_id}:" + ("root" if name == "root" else f"user/{name}")
        caller = Caller(
            access_key_id or "AKIA" + token(16),
            secret_access_key or secrets.token_urlsafe(30).replace("-", "/").replace("_", "+"),
            account_id,
            arn,
            account_id if name == "root" else "AIDA" + token(17),
            tuple(policies),
        )
        self._by_key[caller.access_key_id] = caller
        return caller

    def add_session(
        self,
        account_id: str,
        role_name: str,
        session_name: str,
        *,
        policies: Sequence[Policy],
        session_policy: Policy | None,
        lifetime: timedelta,
    ) -> Caller:
        """A session of a role."""
        caller = Caller(
            "ASIA" + token(16),
            secrets.token_urlsafe(30),
            account_id,
            f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}",
            f"AROA{token(17)}:{session_name}",
            tuple(policies),
            session_policy,
            secrets.token_urlsafe(90),
            datetime.now(UTC) + lifetime,
        )
        self._by_key[caller.access_key_id] = caller
        return caller


def token(length: int) -> str:
    """Random characters as AWS's ids have them."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
