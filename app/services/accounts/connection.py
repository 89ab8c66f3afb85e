"""How an account is reached: everything a job needs to call AWS for it, taken out of the database beforehand.

A job loads this, ends its transaction, and only then talks to AWS: nothing is locked while the network is waited for.
"""

from dataclasses import dataclass

from app.aws.credentials import CredentialProvider, Credentials, FixedCredentials
from app.aws.formats import DEFAULT_ROLE_NAME
from app.database import db
from app.errors import AwsFault, FaultCode, NotFoundError, SecretError
from app.models import Account
from app.models.types import ConnectionMethod
from app.services.accounts.candidates import find_open_candidate


@dataclass(frozen=True, slots=True)
class Connection:
    """One account's way in. Keys are in clear here, behind a masked repr, and live as long as the job."""

    account_pk: int
    aws_account_id: str
    method: ConnectionMethod
    region: str
    role_arn: str
    external_id: str
    keys: Credentials | None

    @property
    def session_name(self) -> str:
        """What the customer's CloudTrail shows: us, and the row it was for."""
        return f"spotkeeper-{self.account_pk}"

    def provider(self) -> CredentialProvider:
        """Credentials for one job: the keys, or sessions of the role, renewed in time."""
        from app.aws.assumed_role import AssumedRole  # boto3 stays out of the web process

        if self.keys is not None:
            return FixedCredentials(self.keys)
        return AssumedRole(self.role_arn, self.external_id, self.session_name)


def expected_role_arn(account: Account) -> str:
    """The role through which the account is read; until one is named, that which the template makes."""
    return account.role_arn or f"arn:{account.partition}:iam::{account.account_id}:role/{DEFAULT_ROLE_NAME}"


def load_connection(account_pk: int, *, tries_candidate: bool = False) -> Connection:
    """Read an account's connection, opening its keys; with `tries_candidate` that which is proposed instead, if any.

    Raises:
        NotFoundError: the account is gone.
        AwsFault: UNREADABLE_SECRET when the keys do not open.
    """
    account = db.session.get(Account, account_pk, populate_existing=True)
    if account is None:
        raise NotFoundError("The account was disconnected.")
    source = (find_open_candidate(account) if tries_candidate else None) or account
    keys = None
    if source.connection_method is ConnectionMethod.ACCESS_KEYS:
        try:
            keys = Credentials(*source.open_access_keys())
        except SecretError as error:
            raise AwsFault(FaultCode.UNREADABLE_SECRET, str(error)) from None
    return Connection(
        account_pk=account.id,
        aws_account_id=account.account_id,
        method=source.connection_method,
        region=account.region,
        role_arn=source.role_arn or expected_role_arn(account),
        external_id=account.external_id,
        keys=keys,
    )
