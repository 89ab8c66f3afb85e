"""Who is in the simulated AWS: keys, customers' accounts, the fleet. Light: nothing here needs moto."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import boto3
from botocore.config import Config


@dataclass(frozen=True, slots=True)
class Keys:
    """An access key and whose it is; temporary where there is a token."""

    account_id: str
    arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def client(self, service: str, region: str, url: str, **options: Any) -> Any:
        """A boto3 client with these keys, for the simulation at `url`; options of botocore's Config. Close it."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            aws_session_token=self.session_token,
            config=Config(retries={"total_max_attempts": 1}, **options),
        )


@dataclass(frozen=True, slots=True)
class CustomerAccount:
    """One simulated customer. `purpose` says what it is there to show."""

    account_id: str
    name: str
    purpose: str
    """role, keys, denied_region, any_external_id, revoked_keys, or by_hand (no role yet)."""

    role_name: str
    role_arn: str
    """Where the role is, or will be once somebody makes it."""

    keys: Keys | None
    instance_count: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """All that was seeded."""

    installation: Keys
    """The identity under which Spotkeeper itself runs."""

    accounts: tuple[CustomerAccount, ...]
    regions: tuple[str, ...]
    instance_count: int

    def with_purpose(self, purpose: str) -> tuple[CustomerAccount, ...]:
        return tuple(account for account in self.accounts if account.purpose == purpose)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The fleet as `GET /_simulation/fleet` tells it."""
        accounts = (
            CustomerAccount(**{**account, "keys": Keys(**account["keys"]) if account["keys"] else None})
            for account in told["accounts"]
        )
        return cls(Keys(**told["installation"]), tuple(accounts), tuple(told["regions"]), told["instance_count"])
