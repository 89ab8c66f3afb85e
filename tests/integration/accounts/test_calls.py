"""The budget of calls: what is sent is written down by the hour, added up, and held to a limit; on all databases."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from app import database
from app.database import database_now, db
from app.models import Account, ApiCall, RegionScan
from app.models.types import RegionResult
from app.services.accounts.calls import Calls, budget_wait, hour_of, list_calls, record_calls
from app.services.retention import prune_calls
from tests.factories import make_account, make_user

HOME, AWAY = "us-east-1", "eu-west-1"
INSTANCES, ZONES = "ec2:DescribeInstances", "ec2:DescribeAvailabilityZones"
NOON = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)


@pytest.fixture
def account_pk(any_database: Flask) -> int:
    with any_database.app_context():
        account = make_account(make_user())
        db.session.commit()
        return account.id


def record(app: Flask, account_pk: int, counts: dict[tuple[str, str], int]) -> None:
    with app.app_context():
        record_calls(account_pk, counts)
        db.session.commit()


def read(app: Flask, account_pk: int, per_hour: int = 2000) -> Calls:
    with app.app_context():
        return list_calls(db.session.get_one(Account, account_pk), per_hour)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """All three databases' clocks stand at twenty past noon."""
    set_clock(monkeypatch, NOON)


def set_clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    for dialect in database._NOW:
        monkeypatch.setitem(database._NOW, dialect, f"SELECT '{moment:%Y-%m-%d %H:%M:%S}'")


class TestWritingDown:
    def test_what_is_written_in_one_hour_adds_up(self, any_database: Flask, account_pk: int, noon: None) -> None:
        record(any_database, account_pk, {(HOME, INSTANCES): 3, (AWAY, INSTANCES): 1})
        record(any_database, account_pk, {(HOME, INSTANCES): 4, (HOME, ZONES): 2})
        calls = read(any_database, account_pk)
        assert [(row.action, row.region, row.this_hour) for row in calls.rows] == [
            (INSTANCES, HOME, 7),
            (ZONES, HOME, 2),
            (INSTANCES, AWAY, 1),
        ]
        assert (calls.this_hour, calls.today, calls.hour_ends_at) == (10, 10, NOON.replace(hour=13, minute=0))

    def test_nothing_is_nothing(self, any_database: Flask, account_pk: int) -> None:
        record(any_database, account_pk, {})
        record(any_database, account_pk, {(HOME, INSTANCES): 0})
        assert read(any_database, account_pk).rows == []

    def test_a_transaction_that_is_rolled_back_and_begun_again_counts_once(
        self, any_database: Flask, account_pk: int
    ) -> None:
        with any_database.app_context():
            record_calls(account_pk, {(HOME, INSTANCES): 5})
            db.session.rollback()
        record(any_database, account_pk, {(HOME, INSTANCES): 5})
        assert read(any_database, account_pk).today == 5

    def test_those_who_write_at_once_lose_nothing(self, any_database: Flask, account_pk: int) -> None:
        counts = {(region, action): 1 for region in (HOME, AWAY) for action in (INSTANCES, ZONES)}
        threads = [threading.Thread(target=record, args=(any_database, account_pk, counts)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {row.today for row in read(any_database, account_pk).rows} == {8}

    def test_an_earlier_hour_counts_for_today_and_yesterday_for_nothing(
        self, any_database: Flask, account_pk: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for moment, count in ((NOON - timedelta(days=1), 100), (NOON - timedelta(hours=3), 10), (NOON, 1)):
            set_clock(monkeypatch, moment)
            record(any_database, account_pk, {(HOME, INSTANCES): count})
        calls = read(any_database, account_pk)
        assert (calls.this_hour, calls.today) == (1, 11)

    def test_what_is_old_is_forgotten(self, any_database: Flask, account_pk: int) -> None:
        record(any_database, account_pk, {(HOME, INSTANCES): 1})
        with any_database.app_context():
            now = database_now()
            old = hour_of(now) - timedelta(days=8)
            db.session.add(ApiCall(account_id=account_pk, hour_at=old, region=HOME, action=INSTANCES, count=9))
            db.session.commit()
            assert prune_calls(older_than=now - timedelta(days=7)) == 1
            assert prune_calls(older_than=now - timedelta(days=7)) == 0
            assert db.session.query(ApiCall).count() == 1


class TestTheBudget:
    def test_a_job_goes_on_while_there_is_some_left(self, any_database: Flask, account_pk: int, noon: None) -> None:
        record(any_database, account_pk, {(HOME, INSTANCES): 1999})
        with any_database.app_context():
            assert budget_wait(account_pk, 2000) is None

    def test_it_waits_for_the_next_hour_and_says_so(self, any_database: Flask, account_pk: int, noon: None) -> None:
        record(any_database, account_pk, {(HOME, INSTANCES): 2000})
        with any_database.app_context():
            wait = budget_wait(account_pk, 2000)
        assert wait
        assert wait.text == "Waits for the budget of calls: 2,000 of 2,000 used this hour"
        assert 40 * 60 <= wait.seconds <= 41 * 60
        assert read(any_database, account_pk).is_used_up

    def test_the_next_hour_has_a_budget_of_its_own(
        self, any_database: Flask, account_pk: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_clock(monkeypatch, NOON)
        record(any_database, account_pk, {(HOME, INSTANCES): 2000})
        set_clock(monkeypatch, NOON.replace(hour=13, minute=0))
        with any_database.app_context():
            assert budget_wait(account_pk, 2000) is None

    def test_it_waits_where_the_last_reading_says_that_it_will_not_do(
        self, any_database: Flask, account_pk: int, noon: None
    ) -> None:
        record(any_database, account_pk, {(HOME, INSTANCES): 60})
        with any_database.app_context():
            values = {"account_id": account_pk, "result": RegionResult.READ, "since_at": NOON}
            db.session.add_all([RegionScan(region=region, calls=25, **values) for region in (HOME, AWAY)])
            db.session.commit()
            assert budget_wait(account_pk, 100)
            assert budget_wait(account_pk, 110) is None
            assert budget_wait(account_pk, 100, need=40) is None

    def test_a_job_larger_than_the_budget_still_runs_in_a_quiet_hour(
        self, any_database: Flask, account_pk: int, noon: None
    ) -> None:
        record(any_database, account_pk, {(HOME, INSTANCES): 50})
        with any_database.app_context():
            assert budget_wait(account_pk, 100, need=5000) is None

    def test_no_limit_is_no_limit(self, any_database: Flask, account_pk: int, noon: None) -> None:
        record(any_database, account_pk, {(HOME, INSTANCES): 5000})
        with any_database.app_context():
            assert budget_wait(account_pk, 0) is None
        assert not read(any_database, account_pk, 0).is_used_up
