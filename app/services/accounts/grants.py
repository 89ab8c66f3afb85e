"""What an account's owner chose to allow: kept with the account, followed by its policies and permission checks."""

from collections.abc import Collection

from app.aws.grants import DEFAULT_GRANTS, Grant, parse_grants
from app.database import db
from app.models import Account, User
from app.models.types import RunKind
from app.services import runs, system_logs

#: Where the choice stands in `accounts.account_metadata`.
KEY = "grants"


def grants_of(account: Account) -> frozenset[Grant]:
    """The choice; the default for an account whose owner was never asked."""
    names = account.account_metadata.get(KEY)
    return DEFAULT_GRANTS if names is None else parse_grants(names)


def keep_grants(account: Account, grants: Collection[Grant]) -> None:
    """Write the choice down, beside what else is known of the account."""
    account.account_metadata = {
        **(account.account_metadata or {}),
        KEY: [grant.value for grant in Grant if grant in grants],
    }


def choose_grants(account: Account, grants: Collection[Grant], *, actor: User) -> None:
    """Take another choice; what it allows is asked for at once where the account works."""
    if account.is_working:
        # First, as jobs do: they lock their run and then the account.
        runs.enqueue(RunKind.CHECK_PERMISSIONS, account=account, requested_by=actor)
    # Locked, for a job writes what it found into the same column.
    db.session.refresh(account, with_for_update=True)
    before = grants_of(account)
    keep_grants(account, grants)
    db.session.flush()
    system_logs.record(
        "audit",
        f"Choice of permissions of {account.account_id} changed",
        user=actor,
        account=account,
        before=sorted(before),
        after=sorted(grants_of(account)),
    )
