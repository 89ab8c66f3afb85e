"""What is in an account, in a few figures: what its owner sees after the first discovery, and whenever they look."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.database import database_now, db
from app.models import Account, Instance, RegionScan
from app.models.instance import GONE, MISSING
from app.models.types import RegionResult
from app.services.accounts.listing import list_region_scans
from app.services.instances.tallies import Tallies, tally_account

#: For so long after it was verified an account's page shows what was found without being asked.
NEW_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Findings:
    """Counts of the account's instances as they were last read."""

    tallies: Tallies
    imds_v1: int
    """Of those that are not over: how many answer to the instance metadata service without a session token."""

    public: int
    """Of those that are not over: how many have a public IPv4 address."""

    unread: Sequence[RegionScan]
    """The regions that are missing from all these counts, with the reason."""

    @property
    def total(self) -> int:
        return sum(count for state, count in self.states if state != MISSING)

    @property
    def states(self) -> list[tuple[str, int]]:
        return self.tallies.by("state")

    @property
    def lifecycles(self) -> list[tuple[str, int]]:
        """Of the running ones."""
        return self.tallies.by("lifecycle", state="running")

    @property
    def regions(self) -> list[tuple[str, int]]:
        return self.tallies.by("region")

    @property
    def running(self) -> int:
        return self.tallies.count(state="running")

    @property
    def spot_running(self) -> int:
        return self.tallies.count(state="running", lifecycle="spot")

    @property
    def unauthorized(self) -> int:
        return self.tallies.count(auth_status="unauthorized")


def is_new(account: Account) -> bool:
    """Whether it was connected and read for the first time lately."""
    if account.verified_at is None or account.last_good_at is None or not account.is_working:
        return False
    return (database_now() - account.created_at).total_seconds() < NEW_SECONDS


def find_in(account: Account) -> Findings:
    """Count what is in an account that the caller may see; reads its instances' metadata, so not for every poll."""
    options = sa.type_coerce(Instance.instance_metadata, sa.JSON)["MetadataOptions"]
    answers = sa.and_(
        options["HttpTokens"].as_string() == "optional",
        sa.func.coalesce(options["HttpEndpoint"].as_string(), "enabled") != "disabled",
    )
    counts = db.session.execute(
        sa.select(
            sa.func.coalesce(sa.func.sum(sa.case((answers, 1), else_=0)), 0),
            sa.func.coalesce(sa.func.sum(sa.case((Instance.public_ip != "", 1), else_=0)), 0),
        ).where(Instance.account_id == account.id, Instance.state.not_in(GONE))
    ).one()
    scans = list_region_scans(account)
    return Findings(
        tallies=tally_account(account.id),
        imds_v1=int(counts[0]),
        public=int(counts[1]),
        unread=[scan for scan in scans if scan.result not in (RegionResult.READ, RegionResult.NOT_OPTED_IN)],
    )
