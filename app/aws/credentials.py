"""AWS credentials in memory, and who can supply them; pure, does not import boto3."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, long-term or temporary. Never logged: the repr shows the last four of the key id only."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None
    expires_at: datetime | None = None
    """Aware UTC; None for long-term keys."""

    def __repr__(self) -> str:
        kind = "temporary" if self.session_token else "long-term"
        return f"Credentials(access_key_id='…{self.access_key_id[-4:]}', {kind})"

    @property
    def is_temporary(self) -> bool:
        return self.session_token is not None or self.access_key_id.startswith("ASIA")


class CredentialProvider(Protocol):
    """Supplies credentials that may change while a discovery runs. Safe to share between threads."""

    def current(self) -> Credentials:
        """What to sign with now; renewed early where its end is near. Raises AwsFault."""
        ...

    def renew(self, stale: Credentials) -> Credentials:
        """AWS called `stale` expired: give others. Several threads reporting the same stale ones cost one renewal."""
        ...


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """A provider for credentials that nobody can renew."""

    credentials: Credentials

    def current(self) -> Credentials:
        return self.credentials

    def renew(self, stale: Credentials) -> Credentials:
        return stale
