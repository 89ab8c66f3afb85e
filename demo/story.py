"""What the demo shows: four people and their accounts, entered through the services that the pages use."""

import json
import secrets
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from app.aws import cloudformation
from app.aws.formats import DEFAULT_ROLE_NAME
from app.database import db
from app.models import Account, Run, User
from app.models.types import ConnectionMethod, Role
from app.services.accounts import connect
from app.services.identity import find_identity
from app.services.passwords import hash_password, verify_password
from demo.aws.fleet import CUSTOMERS, KEYS

USERS = {
    "client1": Role.CLIENT,
    "client2": Role.CLIENT,
    "admin": Role.ADMIN,
    "superadmin": Role.SUPER_ADMIN,
}

#: Keys that were deleted in AWS, so that AWS refuses them.
DELETED_KEYS = ("AKIADEMOCUSTOMER0002", "demo/deleted/secret/of/forty/characters+")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one simulated account is connected: `how` is role, keys, deleted_keys, open_role or pending."""

    owner: str
    customer: int
    how: str


PLANS = (
    Plan("client1", 0, "role"),
    Plan("client1", 1, "keys"),
    Plan("client1", 5, "pending"),
    Plan("client2", 2, "role"),
    Plan("client2", 3, "open_role"),
    Plan("client2", 4, "deleted_keys"),
)


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


def connect_accounts(endpoint: str) -> None:
    """Enter the accounts that are not there yet, and play their owners' part in AWS."""
    for plan in PLANS:
        customer = CUSTOMERS[plan.customer]
        account = db.session.scalar(sa.select(Account).where(Account.account_id == customer.account_id))
        if account is None:
            _enter(plan, endpoint)
        elif account.role_arn:
            _make_role(account, endpoint, is_open=plan.how == "open_role")


def _enter(plan: Plan, endpoint: str) -> None:
    owner = db.session.scalars(sa.select(User).where(User.username == plan.owner)).one()
    customer = CUSTOMERS[plan.customer]
    entered = {"account_id": customer.account_id, "account_name": customer.name}
    if plan.how in ("keys", "deleted_keys"):
        key_id, secret = KEYS if plan.how == "keys" else DELETED_KEYS
        connect.connect_account(
            owner,
            connection_method=ConnectionMethod.ACCESS_KEYS,
            access_key_id=key_id,
            secret_access_key=secret,
            **entered,
        )
    else:
        account = connect.connect_account(owner, connection_method=ConnectionMethod.IAM_ROLE, **entered)
        if plan.how != "pending":
            arn = _make_role(account, endpoint, is_open=plan.how == "open_role")
            connect.name_role(account, arn, actor=owner)
    db.session.commit()


def _make_role(account: Account, endpoint: str, *, is_open: bool) -> str:
    """The owner's part: make the role in AWS. An open one takes any External ID, and is to be refused."""
    identity = find_identity()
    assert identity is not None
    trust = cloudformation.trust_policy(identity.account_id, identity.arn, account.external_id)
    if is_open:
        del trust["Statement"][0]["Condition"]["StringEquals"]
    return str(
        _control(
            endpoint,
            "roles",
            {
                "account_id": account.account_id,
                "name": DEFAULT_ROLE_NAME,
                "trust_policy": trust,
                "permissions": cloudformation.permission_policy(),
            },
        )["arn"]
    )


def _control(endpoint: str, what: str, asked: object) -> dict[str, object]:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        f"{endpoint}/_simulation/{what}", json.dumps(asked).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        result: dict[str, object] = json.load(answer)
    return result


def wait_for_runs(say: Say, check: Callable[[], None], *, timeout_seconds: float = 90) -> None:
    """Wait until no run is under way, saying how far they are."""
    deadline = time.monotonic() + timeout_seconds
    said = ""
    while time.monotonic() < deadline:
        check()
        rows = db.session.execute(
            sa.select(Account.account_name, Run.progress_done, Run.progress_total)
            .join(Run, Run.account_id == Account.id)
            .where(Run.active_key.is_not(None))
            .order_by(Run.id)
        ).all()
        db.session.rollback()
        if not rows:
            return
        words = ", ".join(f"{name} {done}/{total or '?'} regions" for name, done, total in rows)
        if words != said:
            say(f"  under way: {words}")
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
