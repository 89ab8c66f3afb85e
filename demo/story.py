"""What the demo shows: four people and their accounts, entered through the services that the pages use."""

import json
import secrets
import time
import urllib.request
from collections.abc import Callable

import sqlalchemy as sa

from app.aws import cloudformation
from app.database import db
from app.models import Account, Run, User
from app.models.types import ConnectionMethod, Role
from app.services.accounts import connect
from app.services.identity import find_identity
from app.services.passwords import hash_password, verify_password
from demo.aws.accounts import CustomerAccount, Fleet

USERS = {
    "client1": Role.CLIENT,
    "client2": Role.CLIENT,
    "admin": Role.ADMIN,
    "superadmin": Role.SUPER_ADMIN,
}

Say = Callable[[str], None]

#: Who connects which of the fleet's accounts, by the purpose for which it is there.
OWNERS = {
    "role": "client1",
    "keys": "client1",
    "by_hand": "client1",
    "denied_region": "client2",
    "any_external_id": "client2",
    "revoked_keys": "client2",
}


def ensure_users(password: str | None) -> dict[str, str]:
    """Make the four users; returns the passwords that are known now, by name.

    A given password is set for all four, also on a later run. Not through the page's rules: a password that somebody
    chose for a demo on loopback need not be a good one.
    """
    known: dict[str, str] = {}
    for name, role in USERS.items():
        user = db.session.scalar(sa.select(User).where(User.username == name))
        if user is None:
            user = User(username=name, email=f"{name}@demo.example", role=role, password_hash="")
            db.session.add(user)
            known[name] = password or secrets.token_urlsafe(9)
        elif password and not verify_password(user.password_hash, password):
            known[name] = password
        if name in known:
            user.password_hash = hash_password(known[name])
        elif password:
            known[name] = password
    db.session.commit()
    return known


def connect_accounts(fleet: Fleet, endpoint: str) -> None:
    """Enter the accounts that are not there yet, and play their owners' part in AWS.

    The simulation starts afresh each time, so the roles are made again from the External IDs that are stored. The
    known accounts that work are then read again at once, which shows that they hold what they held.
    """
    for purpose, name in OWNERS.items():
        owner = db.session.scalars(sa.select(User).where(User.username == name)).one()
        # Of those to be connected by hand one waits for its role; the others are left for whoever tries the demo.
        for customer in fleet.with_purpose(purpose)[: 1 if purpose == "by_hand" else None]:
            account = db.session.scalar(sa.select(Account).where(Account.account_id == customer.account_id))
            if account is None:
                _enter(customer, owner, fleet, endpoint)
                continue
            if account.role_arn and purpose != "any_external_id":
                _make_role(account, customer, fleet, endpoint)
            if account.is_working:
                connect.request_discovery(account, actor=owner)
            db.session.commit()


def _enter(customer: CustomerAccount, owner: User, fleet: Fleet, endpoint: str) -> None:
    entered = {"account_id": customer.account_id, "account_name": customer.name}
    if customer.keys is not None:
        connect.connect_account(
            owner,
            connection_method=ConnectionMethod.ACCESS_KEYS,
            access_key_id=customer.keys.access_key_id,
            secret_access_key=customer.keys.secret_access_key,
            **entered,
        )
    else:
        account = connect.connect_account(owner, connection_method=ConnectionMethod.IAM_ROLE, **entered)
        if customer.purpose != "by_hand":
            if customer.purpose != "any_external_id":  # whose role is there, and takes any
                _make_role(account, customer, fleet, endpoint)
            connect.name_role(account, customer.role_arn, actor=owner)
    db.session.commit()


def _make_role(account: Account, customer: CustomerAccount, fleet: Fleet, endpoint: str) -> None:
    """The owner's part: make the role as the account's page shows it."""
    ours = fleet.installation
    asked = {
        "account_id": account.account_id,
        "role_name": customer.role_name,
        "trust_policy": cloudformation.trust_policy(ours.account_id, ours.arn, account.external_id),
        "permissions": cloudformation.permission_policy(),
    }
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{endpoint}/_simulation/roles", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - our own loopback address


def wait_for_runs(say: Say, check: Callable[[], None], *, timeout_seconds: float = 90) -> None:
    """Wait until no account's run is under way, saying how far they are, and until we know who we are in AWS."""
    deadline = time.monotonic() + timeout_seconds
    said = ""
    while time.monotonic() < deadline:
        check()
        rows = db.session.execute(
            sa.select(Account.account_name, Run.progress_done, Run.progress_total)
            .join(Run, Run.account_id == Account.id)
            # The role that is looked for is for whoever tries the demo to make.
            .where(Run.active_key.is_not(None), sa.or_(Account.role_arn.is_not(None), Account.access_key_hint != ""))
            .order_by(Run.id)
        ).all()
        db.session.rollback()
        if not rows and find_identity() is not None:
            return
        reading = [f"{name} {done}/{total} regions" for name, done, total in rows if total > 1]
        words = "; ".join([f"accounts to go: {len(rows)}", *reading])
        if rows and words != said:
            say(f"  {words}")
            said = words
        time.sleep(0.3)


def summarize() -> list[str]:
    """One line an account, for the terminal."""
    rows = db.session.scalars(sa.select(Account).order_by(Account.created_at)).all()
    return [
        f"  {row.account_name:<18} {row.account_id}  {row.status.value:<10} {row.health.value:<8} "
        f"{row.instance_count:>4} instances"
        for row in rows
    ]
