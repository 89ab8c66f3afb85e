"""The accounts of an organization, listed through one account that its owner connected for that."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.aws import cloudformation
from app.aws.formats import DEFAULT_ROLE_NAME, RoleArn
from app.aws.grants import GRANTED_ACTIONS, Grant
from app.database import database_now, db
from app.errors import AwsFault, FaultCode
from app.models import Account, OrganizationAccount, User
from app.services.accounts.account_list import MOST_LINES, BadLine, GoodLine

if TYPE_CHECKING:  # the web process must not import boto3
    from app.aws.organizations import OrganizationAccount as Listed

#: Where the last look's time and fault stand in `accounts.account_metadata`.
KEY = "organization"
#: AWS's word for an account that works.
ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Member:
    """An account of the organization, and whether it is the viewer's own here. Of others' accounts nothing is told."""

    account_id: str
    name: str
    state: str
    connected_pk: int | None

    @property
    def can_be_entered(self) -> bool:
        return self.state == ACTIVE and self.connected_pk is None


@dataclass(frozen=True, slots=True)
class Organization:
    """What is known of it. `fault` is that of the last look; `members` are then those of the look before."""

    looked_at: datetime | None
    fault: FaultCode | None
    message: str
    members: Sequence[Member]


def record_members(account_pk: int, told: "Sequence[Listed] | AwsFault") -> None:
    """Replace what was known by what AWS said now, in the current transaction; a fault leaves it as it was."""
    account = db.session.get_one(Account, account_pk)
    looked: dict[str, str | None] = {"at": database_now().isoformat(), "code": None, "message": ""}
    if isinstance(told, AwsFault):
        looked |= {"code": told.code.value, "message": str(told)}
    else:
        db.session.execute(sa.delete(OrganizationAccount).where(OrganizationAccount.account_id == account_pk))
        db.session.add_all(
            OrganizationAccount(account_id=account_pk, member_id=each.account_id, name=each.name, state=each.state)
            for each in told
        )
    account.account_metadata = {**account.account_metadata, KEY: looked}
    db.session.flush()


def describe_organization(account: Account, owner: User) -> Organization:
    """The organization that the owner's account lists."""
    looked = account.account_metadata.get(KEY) or {}
    rows = db.session.execute(
        sa.select(OrganizationAccount, Account.id)
        .outerjoin(Account, sa.and_(Account.account_id == OrganizationAccount.member_id, Account.user_id == owner.id))
        .where(OrganizationAccount.account_id == account.id)
        .order_by(sa.func.lower(OrganizationAccount.name), OrganizationAccount.member_id)
    ).all()
    return Organization(
        looked_at=datetime.fromisoformat(looked["at"]) if looked.get("at") else None,
        fault=FaultCode(looked["code"]) if looked.get("code") else None,
        message=looked.get("message") or "",
        members=[Member(row.member_id, row.name, row.state, connected_pk) for row, connected_pk in rows],
    )


def choose_members(
    organization: Organization, chosen: Collection[str], partition: str
) -> tuple[Sequence[GoodLine], Sequence[BadLine]]:
    """The ticked accounts as lines to be entered: those of the organization only, by their names there."""
    ticked = [member for member in organization.members if member.account_id in chosen]
    good: list[GoodLine] = []
    bad: list[BadLine] = []
    for number, member in enumerate(ticked, 1):
        if member.state != ACTIVE:
            bad.append(BadLine(number, member.account_id, f"AWS calls this account {member.state.lower()}."))
        elif len(good) >= MOST_LINES:
            bad.append(
                BadLine(number, member.account_id, f"More than {MOST_LINES} accounts: tick the rest afterwards.")
            )
        else:
            role = RoleArn(partition, member.account_id, "/", DEFAULT_ROLE_NAME)
            good.append(GoodLine(number, member.account_id, role, member.name or member.account_id))
    return good, bad


def needed_statement(partition: str) -> str:
    """The policy statement that allows the listing, as JSON."""
    return cloudformation.as_json(cloudformation.read_statement(GRANTED_ACTIONS[Grant.ORGANIZATION], partition))
