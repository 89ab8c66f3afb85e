"""How complete and how old what is shown is, on every database."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db
from app.models import RegionScan, User
from app.models.mixins import utc_now
from app.models.types import AccountStatus, RegionResult
from app.services.instances.filters import InstanceFilters
from app.services.instances.freshness import MOST_REASONS, Freshness, find_freshness
from tests.factories import make_account, make_user

INTERVAL = 900


def scan(account: Any, region: str, result: RegionResult = RegionResult.READ, *, hours_ago: float | None = 0) -> None:
    read_at = None if hours_ago is None else utc_now() - timedelta(hours=hours_ago)
    db.session.add(
        RegionScan(account_id=account.id, region=region, result=result, since_at=utc_now(), last_read_at=read_at)
    )
    db.session.flush()


def find(viewer: User, **filters: Any) -> Freshness:
    return find_freshness(viewer, InstanceFilters(**filters), interval_seconds=INTERVAL)


@pytest.fixture
def owner(any_database: Flask) -> Any:
    with any_database.app_context():
        yield make_user("owner")
        db.session.rollback()


class TestFreshness:
    def test_a_complete_and_recent_reading_is_not_doubted(self, owner: User) -> None:
        account = make_account(owner, status=AccountStatus.ACTIVE)
        scan(account, "us-east-1")
        scan(account, "me-south-1", RegionResult.NOT_OPTED_IN, hours_ago=None)
        found = find(owner)
        assert (found.read, found.enabled, found.stale, found.is_doubtful) == (1, 1, 0, False)
        assert (found.unread_reasons, found.stale_reasons) == ((), ())

    def test_without_any_reading_there_is_no_moment(self, owner: User) -> None:
        account = make_account(owner, status=AccountStatus.ACTIVE)
        assert find(owner).as_of is None
        scan(account, "us-east-1", RegionResult.UNREACHABLE, hours_ago=None)
        found = find(owner)
        assert (found.as_of, found.unread, found.is_doubtful) == (None, 1, True)

    def test_as_of_is_the_oldest_reading_of_what_was_read(self, owner: User) -> None:
        account = make_account(owner, status=AccountStatus.ACTIVE)
        scan(account, "us-east-1")
        scan(account, "us-west-2", hours_ago=0.5)
        scan(account, "eu-west-1", RegionResult.DENIED_IAM, hours_ago=30)
        found = find(owner)
        assert isinstance(found.as_of, datetime)
        assert timedelta(minutes=29) < utc_now() - found.as_of < timedelta(minutes=31)
        assert [(row.region, row.result) for row in found.unread_reasons] == [("eu-west-1", RegionResult.DENIED_IAM)]

    def test_a_region_that_is_not_read_any_more_is_told_as_old(self, owner: User) -> None:
        """The last try read it, and none has followed: the account's role is gone, or no worker runs."""
        recent, old = (make_account(owner, status=AccountStatus.ACTIVE) for _ in range(2))
        scan(recent, "us-east-1")
        scan(old, "us-east-1", hours_ago=5)
        scan(old, "us-west-2", hours_ago=6)
        found = find(owner)
        assert (found.is_complete, found.stale, found.is_doubtful) == (True, 2, True)
        (row,) = found.stale_reasons
        assert (row.account_id, row.regions) == (old.id, 2)
        assert utc_now() - row.last_read_at > timedelta(hours=5.9)

    def test_filters_narrow_it_and_others_accounts_do_not_count(self, owner: User) -> None:
        mine, other = (make_account(owner, status=AccountStatus.ACTIVE) for _ in range(2))
        theirs = make_account(make_user("stranger"), status=AccountStatus.ACTIVE)
        scan(mine, "us-east-1")
        scan(other, "eu-west-1", RegionResult.THROTTLED)
        scan(theirs, "eu-west-1", RegionResult.THROTTLED)
        assert find(owner).unread == 1
        assert find(owner, account=(str(mine.id),)).is_complete
        assert find(owner, region=("us-east-1",)).is_complete
        assert find(owner, account=(str(theirs.id),)).enabled == 0

    def test_a_few_reasons_stand_for_very_many(self, owner: User) -> None:
        account = make_account(owner, status=AccountStatus.ACTIVE)
        for number in range(MOST_REASONS + 3):
            scan(account, f"region-{number}", RegionResult.UNREACHABLE, hours_ago=None)
        found = find(owner)
        assert (len(found.unread_reasons), found.unread) == (MOST_REASONS, MOST_REASONS + 3)
