"""Which accounts an organization has; imports botocore.

Source: AWS Organizations API reference, ListAccounts: only the management account and delegated administrators may
ask, and a page can be empty although more follow.
"""

from contextlib import closing
from dataclasses import dataclass

from app.aws.credentials import Credentials
from app.aws.errors import aws_faults
from app.aws.formats import ACCOUNT_ID
from app.aws.meter import CallMeter
from app.aws.session import SIGN_IN_SECONDS, client
from app.errors import AwsFault, FaultCode

ACTIVE = "ACTIVE"
#: An organization has ten accounts unless AWS was asked for more; beyond this something is wrong.
MOST_ACCOUNTS = 10_000


@dataclass(frozen=True, slots=True)
class OrganizationAccount:
    """One account of an organization. Its e-mail address, which AWS tells too, is nobody's affair here."""

    account_id: str
    name: str
    state: str
    """AWS's word: ACTIVE, SUSPENDED, PENDING_CLOSURE, or one we do not know yet."""


def list_accounts(
    credentials: Credentials, home_region: str, *, meter: CallMeter | None = None
) -> list[OrganizationAccount]:
    """The accounts of the organization that these credentials' account manages, by name. Raises AwsFault."""
    asking = client("organizations", credentials, home_region, call_seconds=SIGN_IN_SECONDS, meter=meter)
    found: dict[str, OrganizationAccount] = {}
    with closing(asking) as organizations, aws_faults():
        for page in organizations.get_paginator("list_accounts").paginate():
            for item in page["Accounts"]:
                account_id = str(item.get("Id") or "")
                if not ACCOUNT_ID.fullmatch(account_id):
                    raise AwsFault(FaultCode.MALFORMED, "The answer to ListAccounts holds an id that is no account's.")
                # `State` replaces `Status`, which AWS is to drop.
                state = str(item.get("State") or item.get("Status") or "")
                found[account_id] = OrganizationAccount(account_id, str(item.get("Name") or "")[:128], state[:32])
            if len(found) > MOST_ACCOUNTS:
                raise AwsFault(FaultCode.MALFORMED, "The answer to ListAccounts has no end.")
    return sorted(found.values(), key=lambda account: (account.name.casefold(), account.account_id))
