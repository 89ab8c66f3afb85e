"""The accounts with most instances, and what those do."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.database import db
from app.models import Account, InstanceTally, User
from app.models.instance import GONE
from app.models.types import AuthStatus
from app.services.scope import visible_accounts

MOST = 8


@dataclass(frozen=True, slots=True)
class AccountShare:
    """What one account has, terminated and missing instances left out."""

    account_pk: int
    account_name: str
    owner: str
    running: int
    spot: int
    """Of the running ones."""

    unauthorized: int


def list_largest_accounts(viewer: User) -> Sequence[AccountShare]:
    """The viewer's accounts that have most instances, by how many of them run."""
    # A join with a table that is cut short, because MariaDB takes no LIMIT within IN.
    largest = (
        sa.select(Account.id, Account.account_name, Account.user_id, Account.instance_count)
        .where(visible_accounts(viewer), Account.last_good_at.is_not(None))
        .order_by(Account.instance_count.desc(), Account.id)
        .limit(MOST)
        .subquery()
    )
    runs = InstanceTally.state == "running"
    stands_unauthorized = sa.and_(
        InstanceTally.auth_status == AuthStatus.UNAUTHORIZED, InstanceTally.state.not_in(GONE)
    )
    query = (
        sa.select(
            largest.c.id,
            largest.c.account_name,
            User.username,
            _sum_where(runs),
            _sum_where(sa.and_(runs, InstanceTally.lifecycle == "spot")),
            _sum_where(stands_unauthorized),
        )
        .join(User, User.id == largest.c.user_id)
        .outerjoin(InstanceTally, InstanceTally.account_id == largest.c.id)
        .group_by(largest.c.id, largest.c.account_name, User.username)
    )
    shares = [AccountShare(*row) for row in db.session.execute(query)]
    return sorted(shares, key=lambda share: (-share.running, share.account_name, share.account_pk))


def _sum_where(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.sum(sa.case((condition, InstanceTally.count), else_=0)), sa.Integer)
