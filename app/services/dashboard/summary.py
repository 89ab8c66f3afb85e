"""What the viewer's accounts and instances sum up to, in a number of queries that neither of them changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, User
from app.models.types import AccountHealth, AccountStatus, AuthStatus
from app.services.dashboard.accounts import AccountShare, list_largest_accounts
from app.services.dashboard.days import Day, list_days
from app.services.dashboard.discoveries import list_last_discoveries
from app.services.dashboard.needs import Need, list_needs
from app.services.dashboard.places import Group, Place, group_types, is_present, list_places
from app.services.instances.filters import InstanceFilters
from app.services.instances.freshness import Freshness, find_freshness
from app.services.instances.tallies import tally_instances, tally_running_types
from app.services.rules.listing import RuleRow, list_notices
from app.services.scope import visible_accounts


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Counts are of what the last readings showed."""

    accounts: int
    healthy: int
    """Accounts of which the last try read every region."""

    needs: Sequence[Need]
    """The first accounts that need somebody, the worst first."""

    needs_count: int
    """How many of these there are in all."""

    ending_rules: Sequence[RuleRow]
    """Rules whose last day is near, the nearest first, then those that have ended and left instances unauthorized."""

    instances: int
    """Those that are there: neither missing nor terminated."""

    present_states: Sequence[str]
    """The states that these are in, for a link that leads to them."""

    running: int
    running_spot: int
    unauthorized: int
    """Of those that are there."""

    places: Sequence[Place]
    """By region, the fullest first."""

    by_lifecycle: Sequence[tuple[str, int]]
    """Running instances, the most first."""

    families: Sequence[Group]
    """Running instances by family of types, the most first."""

    largest: Sequence[AccountShare]
    days: Sequence[Day]
    """What happened on each of the last days, today last."""

    discoveries: Sequence[Any]
    """The latest runs that read accounts: rows of (Run, account_name)."""

    freshness: Freshness
    """How complete and how old all of this is."""

    @property
    def is_read(self) -> bool:
        """Whether anything was ever read: until then a count is unknown, and not nothing."""
        return self.freshness.as_of is not None

    @property
    def needs_nothing(self) -> bool:
        return not self.tasks

    @property
    def tasks(self) -> int:
        """How many things need somebody: accounts, rules, and all the unauthorized instances together."""
        return self.needs_count + len(self.ending_rules) + bool(self.unauthorized)


def summarize(viewer: User, *, interval_seconds: int, calls_per_hour: int) -> Dashboard:
    """What the viewer may see, summed up. The settings say what counts as old, and as too many calls."""
    rows = db.session.execute(
        sa.select(Account.status, Account.health, sa.func.count())
        .where(visible_accounts(viewer))
        .group_by(Account.status, Account.health)
    ).all()
    tallies = tally_instances(viewer)
    present = [state for state, _ in tallies.by("state") if is_present(state)]
    notices = list_notices(viewer)
    needs, needs_count = list_needs(viewer, interval_seconds=interval_seconds, calls_per_hour=calls_per_hour)
    return Dashboard(
        accounts=sum(count for *_, count in rows),
        healthy=sum(
            count for status, health, count in rows if status is AccountStatus.ACTIVE and health is AccountHealth.OK
        ),
        needs=needs,
        needs_count=needs_count,
        ending_rules=[*notices.expiring, *(row for row in notices.expired if row.allows)],
        instances=sum(tallies.count(state=state) for state in present),
        present_states=present,
        running=tallies.count(state="running"),
        running_spot=tallies.count(state="running", lifecycle="spot"),
        unauthorized=sum(tallies.count(state=state, auth_status=AuthStatus.UNAUTHORIZED) for state in present),
        places=list_places(tallies),
        by_lifecycle=tallies.by("lifecycle", state="running"),
        families=group_types(tally_running_types(viewer)),
        largest=list_largest_accounts(viewer),
        days=list_days(viewer),
        discoveries=list_last_discoveries(viewer),
        freshness=find_freshness(viewer, InstanceFilters(), interval_seconds=interval_seconds),
    )
