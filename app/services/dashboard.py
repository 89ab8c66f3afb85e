"""The one look: what the viewer's accounts and instances sum up to, in a fixed number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, AccountEvent, User
from app.models.instance import MISSING, TERMINATED
from app.models.types import AccountHealth, AccountStatus, AuthStatus
from app.services.instances.filters import InstanceFilters
from app.services.instances.freshness import Freshness, find_freshness
from app.services.instances.tallies import tally_instances, tally_types
from app.services.scope import visible_accounts

#: States of instances that are no more.
GONE = (MISSING, TERMINATED)
TOP = 8


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Counts are of what the last readings showed."""

    accounts: int
    accounts_by_status: dict[AccountStatus, int]
    needing_attention: Sequence[Account]
    """The first of the failed, refused, partial or unavailable ones, worst first."""

    attention_count: int
    """How many of these there are in all."""

    instances: int
    """Those that are there: neither missing nor terminated."""

    present_states: Sequence[str]
    """The states that these are in, for a link that leads to them."""

    by_state: Sequence[tuple[str, int]]
    running: int
    running_spot: int
    unauthorized: int
    """Of those that are there."""

    by_region: Sequence[tuple[str, int]]
    """Running instances, the most first."""

    by_type: Sequence[tuple[str, int]]
    events: Sequence[Any]
    """The latest changes of accounts' status: rows of (AccountEvent, account_name)."""

    freshness: Freshness
    """How complete and how old all of this is."""


def summarize(viewer: User, *, interval_seconds: int) -> Dashboard:
    """What the viewer may see, summed up."""
    rows = db.session.execute(
        sa.select(Account.status, sa.func.count()).where(visible_accounts(viewer)).group_by(Account.status)
    )
    accounts = {status: count for status, count in rows}  # noqa: C416 - a Row is no pair to dict()
    tallies = tally_instances(viewer)
    by_state = tallies.by("state")
    present = [state for state, _ in by_state if state not in GONE]
    return Dashboard(
        accounts=sum(accounts.values()),
        accounts_by_status=accounts,
        needing_attention=_list_needing_attention(viewer),
        attention_count=_count_needing_attention(viewer),
        instances=sum(count for state, count in by_state if state in present),
        present_states=present,
        by_state=by_state[:TOP],
        running=tallies.count(state="running"),
        running_spot=tallies.count(state="running", lifecycle="spot"),
        unauthorized=sum(tallies.count(state=state, auth_status=AuthStatus.UNAUTHORIZED) for state in present),
        by_region=tallies.by("region", state="running")[:TOP],
        by_type=tally_types(viewer).by("type", state="running")[:TOP],
        events=_list_events(viewer),
        freshness=find_freshness(viewer, InstanceFilters(), interval_seconds=interval_seconds),
    )


def _list_needing_attention(viewer: User) -> Sequence[Account]:
    return db.session.scalars(
        sa.select(Account)
        .where(visible_accounts(viewer), _needs_attention())
        .order_by(Account.status != AccountStatus.FAILED, Account.account_name, Account.id)
        .limit(TOP)
    ).all()


def _count_needing_attention(viewer: User) -> int:
    query = sa.select(sa.func.count()).select_from(Account).where(visible_accounts(viewer), _needs_attention())
    return db.session.scalar(query) or 0


def _needs_attention() -> sa.ColumnElement[bool]:
    troubled = (AccountHealth.REFUSED, AccountHealth.UNAVAILABLE, AccountHealth.PARTIAL)
    return sa.or_(Account.status == AccountStatus.FAILED, Account.health.in_(troubled), _waits_for_role())


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
