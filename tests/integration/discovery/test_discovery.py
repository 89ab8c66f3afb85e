"""Discovery: what a complete reading changes, and what an incomplete one must not."""

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import FaultCode
from app.models import Account, Instance, InstanceTag, RegionScan, Run, User
from app.models.types import AccountHealth, AccountStatus, AuthStatus, RegionResult, RunKind, RunState
from app.services import runs
from demo.aws.cloud import SimulatedAws
from demo.aws.listing import zone_id
from tests.factories import make_user
from tests.integration.customers import AWS_ID, connected
from tests.jobs import reload, run_jobs

HOME, AWAY = "us-east-1", "eu-west-1"


@pytest.fixture
def fleet(aws: SimulatedAws) -> SimulatedAws:
    """Twelve instances at home, seven away."""
    aws.launch(AWS_ID, HOME, 12, tags={"Name": "home", "note": 'a "quote" <b>, =1+1 🙂'})
    aws.launch(AWS_ID, AWAY, 7, lifecycle="spot")
    return aws


@pytest.fixture
def account(app: Flask, fleet: SimulatedAws, client1: User) -> Account:
    """Connected and discovered once."""
    entered = connected(app, fleet, client1)
    run_jobs(app)
    return reload(app, entered)


def discover(app: Flask, account: Account) -> Run:
    """Discover again; the run as it ended."""
    with app.app_context():
        run_id = runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, account.id)).id
        db.session.commit()
    run_jobs(app)
    with app.app_context():
        run = db.session.get_one(Run, run_id)
        db.session.expunge(run)
    return run


def rows(app: Flask, **where: Any) -> list[Instance]:
    with app.app_context():
        found = list(db.session.scalars(sa.select(Instance).filter_by(**where).order_by(Instance.instance_id)))
        db.session.expunge_all()
    return found


def scan(app: Flask, region: str) -> RegionScan:
    with app.app_context():
        found = db.session.scalars(sa.select(RegionScan).where(RegionScan.region == region)).one()
        db.session.expunge(found)
    return found


def digest(app: Flask) -> list[tuple[str, str, str]]:
    """What a fault must leave as it was."""
    return [(row.instance_id, row.state, row.auth_status.value) for row in rows(app)]


class TestAFirstDiscovery:
    def test_it_finds_every_instance_of_every_enabled_region(self, app: Flask, account: Account) -> None:
        assert (account.status, account.health) == (AccountStatus.ACTIVE, AccountHealth.OK)
        assert (account.regions_read, account.regions_enabled, account.instance_count) == (2, 2, 19)
        assert {row.lifecycle for row in rows(app, region=AWAY)} == {"spot"}
        assert {row.lifecycle for row in rows(app, region=HOME)} == {"on-demand"}
        assert scan(app, "me-south-1").result is RegionResult.NOT_OPTED_IN

    def test_it_authorizes_what_is_there(self, app: Flask, account: Account) -> None:
        assert account.baseline_at is not None
        assert {row.auth_status for row in rows(app)} == {AuthStatus.AUTHORIZED}

    def test_it_keeps_zone_tags_and_facts(self, app: Flask, account: Account) -> None:
        row = rows(app, region=HOME)[0]
        assert row.availability_zone_id == zone_id(row.availability_zone)
        assert row.instance_metadata["Tags"]["note"] == 'a "quote" <b>, =1+1 🙂'
        assert row.platform == "Linux/UNIX"
        with app.app_context():
            tags = db.session.execute(
                sa.select(InstanceTag.key, InstanceTag.value).where(InstanceTag.instance_pk == row.id)
            ).all()
        assert {tuple(tag) for tag in tags} == {("Name", "home"), ("note", 'a "quote" <b>, =1+1 🙂')}

    def test_it_reads_every_page(
        self, app: Flask, aws: SimulatedAws, client1: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.aws.ec2.PAGE_SIZE", 5)
        aws.launch(AWS_ID, HOME, 23)
        entered = connected(app, aws, client1)
        run_jobs(app)
        assert reload(app, entered).instance_count == 23
        assert scan(app, HOME).pages == 5

    def test_it_is_the_same_on_every_database(self, any_database: Flask, fleet: SimulatedAws) -> None:
        with any_database.app_context():
            owner = make_user("owner")
            db.session.commit()
            db.session.refresh(owner)
            db.session.expunge(owner)
        entered = connected(any_database, fleet, owner)
        run_jobs(any_database)
        fleet.launch(AWS_ID, HOME, 1)
        run = discover(any_database, entered)
        assert (run.summary["instances_added"], run.summary["instances_changed"]) == (1, 0)
        assert len(rows(any_database)) == 20


class TestADiscoveryOfTheSameFleet:
    def test_it_writes_no_instance(self, app: Flask, account: Account, count_queries: Any) -> None:
        with count_queries() as statements:
            run = discover(app, account)
        assert run.summary["instances_seen"] == 19
        written = [
            text for text in statements if "instances" in text and text.startswith(("INSERT INTO inst", "UPDATE inst"))
        ]
        assert written == []

    def test_it_takes_a_changed_instance(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        target = rows(app, region=HOME)[0]
        fleet.instance(AWS_ID, HOME, target.instance_id).stop()
        run = discover(app, account)
        assert run.summary["instances_changed"] == 1
        changed = rows(app, instance_id=target.instance_id)[0]
        assert changed.state == "stopped"
        assert changed.state_reason_code == "Client.UserInitiatedShutdown"
        assert changed.id == target.id
        assert changed.auth_status is AuthStatus.AUTHORIZED


class TestWhatAppearsLater:
    def test_it_waits_for_somebody_to_authorize_it(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        fleet.launch(AWS_ID, HOME, 2)
        run = discover(app, account)
        assert run.summary["instances_added"] == 2
        assert len(rows(app, auth_status=AuthStatus.UNAUTHORIZED)) == 2


class TestWhatVanishes:
    def test_it_is_missing_with_the_time_and_never_deleted(
        self, app: Flask, account: Account, fleet: SimulatedAws
    ) -> None:
        target = rows(app, region=HOME)[0]
        fleet.forget_instance(AWS_ID, HOME, target.instance_id)
        run = discover(app, account)
        assert run.summary["instances_vanished"] == 1
        gone = rows(app, instance_id=target.instance_id)[0]
        assert gone.state == "missing"
        assert gone.missing_since is not None
        assert reload(app, account).instance_count == 18
        assert discover(app, account).summary["instances_vanished"] == 0, "it vanishes once"

    def test_it_returns_as_it_was(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        target = rows(app, region=HOME)[0]
        hidden = fleet.forget_instance(AWS_ID, HOME, target.instance_id)
        discover(app, account)
        fleet.remember_instance(AWS_ID, HOME, hidden)
        discover(app, account)
        back = rows(app, instance_id=target.instance_id)[0]
        assert (back.state, back.missing_since, back.id) == ("running", None, target.id)

    def test_one_that_was_ending_is_terminated(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        target = rows(app, region=HOME)[0]
        fleet.instance(AWS_ID, HOME, target.instance_id)._state.name = "shutting-down"
        discover(app, account)
        fleet.forget_instance(AWS_ID, HOME, target.instance_id)
        discover(app, account)
        assert rows(app, instance_id=target.instance_id)[0].state == "terminated"


UNREADABLE = {
    "denied": RegionResult.DENIED_IAM,
    "throttle": RegionResult.THROTTLED,
    "server_error": RegionResult.ERROR,
    "html": RegionResult.MALFORMED,
    "empty": RegionResult.MALFORMED,
    "truncated": RegionResult.MALFORMED,
    "wrong_root": RegionResult.MALFORMED,
    "drop": RegionResult.UNREACHABLE,
}


class TestARegionThatCannotBeRead:
    @pytest.mark.parametrize(("kind", "result"), UNREADABLE.items())
    def test_it_keeps_what_was_known_and_says_why(
        self, app: Flask, account: Account, fleet: SimulatedAws, kind: str, result: RegionResult
    ) -> None:
        before = digest(app)
        read_before = scan(app, HOME).last_read_at
        fleet.faults.add(kind, action="DescribeInstances", region=HOME)
        run = discover(app, account)
        assert digest(app) == before
        found = scan(app, HOME)
        assert found.result is result
        assert found.last_read_at == read_before
        assert found.message
        assert scan(app, AWAY).result is RegionResult.READ
        account = reload(app, account)
        assert (account.status, account.health) == (AccountStatus.ACTIVE, AccountHealth.PARTIAL)
        assert (account.regions_read, account.regions_enabled) == (1, 2)
        assert list(run.summary["unread"]) == [HOME]

    def test_one_failing_page_makes_the_whole_region_unread(
        self, app: Flask, account: Account, fleet: SimulatedAws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.aws.ec2.PAGE_SIZE", 5)
        before = digest(app)
        fleet.faults.add("denied", action="DescribeInstances", region=HOME, page=2)
        discover(app, account)
        assert digest(app) == before
        assert scan(app, HOME).result is RegionResult.DENIED_IAM

    def test_a_policy_of_the_organization_is_named(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        fleet.deny_region(AWS_ID, AWAY)
        before = digest(app)
        calls = len(fleet.calls)
        discover(app, account)
        assert digest(app) == before
        assert scan(app, AWAY).result is RegionResult.DENIED_SCP
        denied = [call for call in fleet.calls[calls:] if call.region == AWAY]
        assert len(denied) == 1, "a denial is not asked for again"

    def test_a_region_denied_from_the_start_does_not_hold_up_the_baseline(
        self, app: Flask, fleet: SimulatedAws, client1: User
    ) -> None:
        fleet.deny_region(AWS_ID, AWAY)
        entered = connected(app, fleet, client1)
        run_jobs(app)
        assert reload(app, entered).baseline_at is not None
        fleet.denied_regions.clear()
        discover(app, entered)
        assert {row.auth_status for row in rows(app, region=AWAY)} == {AuthStatus.UNAUTHORIZED}

    def test_a_missing_permission_does(self, app: Flask, fleet: SimulatedAws, client1: User) -> None:
        fault = fleet.faults.add("denied", action="DescribeInstances", region=AWAY)
        entered = connected(app, fleet, client1)
        run_jobs(app)
        assert reload(app, entered).baseline_at is None
        assert {row.auth_status for row in rows(app)} == {AuthStatus.UNAUTHORIZED}
        fault.times = 0
        discover(app, entered)
        assert reload(app, entered).baseline_at is not None
        assert {row.auth_status for row in rows(app)} == {AuthStatus.AUTHORIZED}


class TestAnAccountThatCannotBeRead:
    def test_throttling_everywhere_is_not_the_account_s_fault(
        self, app: Flask, account: Account, fleet: SimulatedAws
    ) -> None:
        before = digest(app)
        fleet.faults.add("throttle", action="DescribeInstances")
        run = discover(app, account)
        assert run.state is RunState.FAILED
        found = reload(app, account)
        assert (found.status, found.health) == (AccountStatus.ACTIVE, AccountHealth.UNAVAILABLE)
        assert found.error_code is FaultCode.THROTTLED
        assert found.last_good_at == account.last_good_at
        assert digest(app) == before

    def test_a_swapped_role_fails_it_at_the_third_refusal_and_keeps_the_inventory(
        self, app: Flask, account: Account, fleet: SimulatedAws
    ) -> None:
        before = digest(app)
        fleet.create_role(AWS_ID, "SpotkeeperReadOnly", {"Statement": []}, {"Statement": []})
        standings = []
        for _ in range(3):
            discover(app, account)
            found = reload(app, account)
            standings.append((found.status, found.health))
        assert standings == [
            (AccountStatus.ACTIVE, AccountHealth.REFUSED),
            (AccountStatus.ACTIVE, AccountHealth.REFUSED),
            (AccountStatus.FAILED, AccountHealth.REFUSED),
        ]
        assert digest(app) == before
        assert reload(app, account).verified_account_id == AWS_ID

    def test_a_session_that_ends_on_the_way_is_renewed(
        self, app: Flask, account: Account, fleet: SimulatedAws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.aws.ec2.PAGE_SIZE", 5)
        fleet.faults.add("expired", action="DescribeInstances", region=HOME, page=2, times=1)
        discover(app, account)
        assert scan(app, HOME).result is RegionResult.READ
        assert reload(app, account).health is AccountHealth.OK


class TestReading:
    def test_it_only_reads(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        discover(app, account)
        assert {call.action for call in fleet.calls} <= {
            "AssumeRole",
            "GetCallerIdentity",
            "DescribeRegions",
            "DescribeInstances",
        }

    def test_it_signs_with_our_own_keys_for_sts_alone(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        import os

        ours = os.environ["AWS_ACCESS_KEY_ID"]
        assert {call.action for call in fleet.calls if call.access_key_id == ours} == {"AssumeRole"}

    def test_two_at_once_join(self, app: Flask, account: Account) -> None:
        with app.app_context():
            row = db.session.get_one(Account, account.id)
            ids = {runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=row).id for _ in range(5)}
            db.session.commit()
        assert len(ids) == 1
