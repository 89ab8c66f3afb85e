"""Discovery: what a complete reading changes."""

import os
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, InstanceTag, User
from app.models.types import AccountHealth, AccountStatus, AuthStatus, RegionResult, RunKind
from app.services import runs
from demo.aws.cloud import SimulatedAws
from tests.factories import make_user
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import AWAY, HOME, discover, rows, scan
from tests.jobs import reload, run_jobs


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
        assert (row.availability_zone, row.availability_zone_id) == ("us-east-1a", "use1-az6")
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
        aws.run_instances(AWS_ID, HOME, 23)
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
        fleet.run_instances(AWS_ID, HOME, 1)
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
        fleet.run_instances(AWS_ID, HOME, 2)
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
        ours = os.environ["AWS_ACCESS_KEY_ID"]
        assert {call.action for call in fleet.calls if call.access_key_id == ours} == {"AssumeRole"}

    def test_two_at_once_join(self, app: Flask, account: Account) -> None:
        with app.app_context():
            row = db.session.get_one(Account, account.id)
            ids = {runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=row).id for _ in range(5)}
            db.session.commit()
        assert len(ids) == 1
