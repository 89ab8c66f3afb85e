"""The one look: what the viewer's accounts and instances sum up to, in a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, AccountEvent, Instance, User
from app.models.types import AccountHealth, AccountStatus, AuthStatus
from app.services.scope import visible_accounts

#: States in which an instance exists and may cost something.
PRESENT = ("pending", "running", "stopping", "stopped", "shutting-down")
TOP = 8


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Counts are of what the last readings showed."""

    accounts: int
    accounts_by_status: dict[AccountStatus, int]
    needing_attention: Sequence[Account]
    """Failed, refused, partial or unavailable ones, worst first."""

    instances: int
    by_state: Sequence[tuple[str, int]]
    running: int
    running_spot: int
    unauthorized: int
    """Unauthorized instances that are there: neither missing nor terminated."""

    by_region: Sequence[tuple[str, int]]
    """Running instances, the most first."""

    by_type: Sequence[tuple[str, int]]
    events: Sequence[Any]
    """The latest changes of accounts' status: rows of (AccountEvent, account_name)."""


def summarize(viewer: User) -> Dashboard:
    """What the viewer may see, summed up."""
    rows = db.session.execute(
        sa.select(Account.status, sa.func.count()).where(visible_accounts(viewer)).group_by(Account.status)
    )
    accounts = {status: count for status, count in rows}  # noqa: C416 - a Row is no pair to dict()
    by_state = _count_by(viewer, Instance.state)
    running = Instance.state == "running"
    return Dashboard(
        accounts=sum(accounts.values()),
        accounts_by_status=accounts,
        needing_attention=_list_needing_attention(viewer),
        instances=sum(count for state, count in by_state if state not in ("missing", "terminated")),
        by_state=by_state,
        running=dict(by_state).get("running", 0),
        running_spot=_count(viewer, running, Instance.lifecycle == "spot"),
        unauthorized=_count(viewer, Instance.auth_status == AuthStatus.UNAUTHORIZED, Instance.state.in_(PRESENT)),
        by_region=_count_by(viewer, Instance.region, running),
        by_type=_count_by(viewer, Instance.instance_type, running),
        events=_list_events(viewer),
    )


def _list_needing_attention(viewer: User) -> Sequence[Account]:
    troubled = (AccountHealth.REFUSED, AccountHealth.UNAVAILABLE, AccountHealth.PARTIAL)
    return db.session.scalars(
        sa.select(Account)
        .where(
            visible_accounts(viewer),
            sa.or_(Account.status == AccountStatus.FAILED, Account.health.in_(troubled), _waits_for_role()),
        )
        .order_by(Account.status != AccountStatus.FAILED, Account.account_name, Account.id)
        .limit(TOP)
    ).all()


def _waits_for_role() -> sa.ColumnElement[bool]:
    return sa.and_(Account.status == AccountStatus.PENDING, Account.role_arn.is_(None))


def _list_events(viewer: User) -> Sequence[Any]:
    return db.session.execute(
        sa.select(AccountEvent, Account.account_name)
        .join(Account, Account.id == AccountEvent.account_id)
        .where(visible_accounts(viewer))
        .order_by(AccountEvent.id.desc())
        .limit(TOP)
    ).all()


def _count_by(viewer: User, column: Any, *conditions: sa.ColumnElement[bool]) -> list[tuple[str, int]]:
    count = sa.func.count()
    rows = db.session.execute(
        sa.select(column, count)
        .select_from(Instance)
        .join(Account, Account.id == Instance.account_id)
        .where(visible_accounts(viewer), *conditions)
        .group_by(column)
        .order_by(count.desc(), column)
        .limit(TOP)
    )
    return [(str(value), number) for value, number in rows]


def _count(viewer: User, *conditions: sa.ColumnElement[bool]) -> int:
    query = (
        sa.select(sa.func.count())
        .select_from(Instance)
        .join(Account, Account.id == Instance.account_id)
        .where(visible_accounts(viewer), *conditions)
    )
    return db.session.scalar(query) or 0
