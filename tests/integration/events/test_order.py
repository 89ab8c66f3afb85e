"""Whatever the order in which events come, and however often: what they leave is the same on every database."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, ChangeTally, InstanceChange, RegionScan
from app.models.types import ChangeKind, RegionResult
from app.services.instances.change_tallies import find_wrong_change_tallies
from app.services.instances.tallies import find_wrong_tallies
from tests.factories import make_instance
from tests.integration.events.events import BEGIN, Fleet, rebalance, state, warning


def read_at(fleet: Fleet, seconds: float) -> None:
    """As if the region had been read then, and had shown the instance as it is stored."""
    with fleet.app.app_context():
        moment = BEGIN + timedelta(seconds=seconds)
        db.session.add(
            RegionScan(
                account_id=fleet.account_pk,
                region="us-east-1",
                result=RegionResult.READ,
                since_at=moment,
                last_read_at=moment,
            )
        )
        db.session.commit()


def set_missing(fleet: Fleet) -> None:
    with fleet.app.app_context():
        db.session.execute(
            sa.text("UPDATE instances SET state = 'missing', missing_since = first_seen_at WHERE id = :id"),
            {"id": fleet.instance_pk},
        )
        db.session.commit()


class TestManyAtOnce:
    def test_permutations_and_duplicates_leave_one_truth(self, any_database: Flask) -> None:
        fleet = Fleet(any_database)
        with any_database.app_context():
            account = db.session.get_one(Account, fleet.account_pk)
            for word in ("running", "stopped", "stopped"):
                make_instance(account, state=word)
            db.session.commit()
        name = fleet.instance_id
        told = [state(name, "stopping", 1), state(name, "stopped", 2), state(name, "pending", 3)]
        chance = random.Random(7)
        orders = [chance.choice(list(itertools.permutations(told))) for _ in range(20)]

        def send(order: tuple[dict[str, Any], ...]) -> set[int]:
            return {fleet.post(one).status_code for one in order}

        with ThreadPoolExecutor(20) as pool:
            assert set.union(*pool.map(send, orders)) == {202}
        assert fleet.history() == [
            ("state", "running", "stopping", 1),
            ("state", "stopping", "stopped", 2),
            ("state", "stopped", "pending", 3),
        ]
        assert fleet.instance().state == "pending"
        assert len(fleet.kept()) == 3
        with any_database.app_context():
            assert find_wrong_tallies(fleet.account_pk) == []
            assert find_wrong_change_tallies(fleet.account_pk) == []


class TestOneAfterTheOther:
    @pytest.fixture
    def fleet(self, app: Flask) -> Fleet:
        return Fleet(app)

    @pytest.mark.parametrize("order", range(0, 120, 17))
    def test_every_order_tells_the_same(self, fleet: Fleet, order: int) -> None:
        name = fleet.instance_id
        told = [
            state(name, "stopping", 1),
            state(name, "stopped", 2),
            state(name, "pending", 3),
            state(name, "running", 4),
            state(name, "running", 9),
        ]
        fleet.outcomes(*list(itertools.permutations(told))[order])
        assert [row[1:] for row in fleet.history()] == [
            ("running", "stopping", 1),
            ("stopping", "stopped", 2),
            ("stopped", "pending", 3),
            ("pending", "running", 4),
        ]
        assert fleet.instance().state == "running"
        with fleet.app.app_context():
            [day] = db.session.scalars(sa.select(ChangeTally))
            assert (day.started, day.stopped, day.readings) == (1, 1, 0)
            assert find_wrong_change_tallies(fleet.account_pk) == []

    def test_two_changes_in_one_second_follow_the_course_of_a_life(self, fleet: Fleet) -> None:
        late, early = state(fleet.instance_id, "terminated", 5), state(fleet.instance_id, "shutting-down", 5)
        assert fleet.outcomes(late, early) == ["applied", "stale"]
        assert fleet.instance().state == "terminated"
        assert [row[1:3] for row in fleet.history()] == [("running", "shutting-down"), ("shutting-down", "terminated")]

    def test_the_next_reading_compares_field_by_field(self, fleet: Fleet) -> None:
        fleet.outcomes(state(fleet.instance_id, "stopped", 5))
        found = fleet.instance()
        assert (found.raw_hash, found.content_hash, found.state_reason_code) == ("", "", "")
        assert found.state_changed_at == BEGIN + timedelta(seconds=5)

    def test_what_was_known_already_writes_nothing(self, fleet: Fleet) -> None:
        assert fleet.outcomes(state(fleet.instance_id, "running", 5)) == ["unchanged"]
        assert fleet.history() == []
        assert fleet.instance().raw_hash == "r" * 32

    def test_announcements_stand_in_the_history(self, fleet: Fleet) -> None:
        events = [warning(fleet.instance_id, "stop", 2), rebalance(fleet.instance_id, 1)]
        assert fleet.outcomes(*events, events[0]) == ["applied", "applied", "applied"]
        assert fleet.history() == [("rebalance", None, "recommended", 1), ("interruption", None, "stop", 2)]
        assert fleet.instance().state == "running"

    def test_a_missing_instance_returns(self, fleet: Fleet) -> None:
        set_missing(fleet)
        fleet.outcomes(state(fleet.instance_id, "running", 5))
        found = fleet.instance()
        assert (found.state, found.missing_since) == ("running", None)
        with fleet.app.app_context():
            assert db.session.scalars(sa.select(InstanceChange.kind)).all() == [ChangeKind.RETURNED]


class TestBesideReadings:
    @pytest.fixture
    def fleet(self, app: Flask) -> Fleet:
        return Fleet(app)

    def test_what_happened_before_the_reading_is_stale(self, fleet: Fleet) -> None:
        read_at(fleet, 10)
        assert fleet.outcomes(state(fleet.instance_id, "stopped", 9)) == ["stale"]
        assert (fleet.instance().state, fleet.history()) == ("running", [])

    def test_within_the_second_of_the_reading_the_event_counts(self, fleet: Fleet) -> None:
        read_at(fleet, 10.7)
        assert fleet.outcomes(state(fleet.instance_id, "stopped", 10)) == ["applied"]

    def test_the_end_of_a_missing_instance_is_no_contradiction(self, fleet: Fleet) -> None:
        set_missing(fleet)
        read_at(fleet, 10)
        events = [state(fleet.instance_id, "running", 3), state(fleet.instance_id, "terminated", 5)]
        assert fleet.outcomes(*events) == ["stale", "applied"]
        assert fleet.instance().state == "terminated"
