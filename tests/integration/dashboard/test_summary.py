"""The figures of the overview, against fleets made by hand, on every database."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask

from app.database import db
from app.errors import FaultCode
from app.models import Account, ApiCall, ChangeTally, RegionScan, Run, User
from app.models.mixins import utc_now
from app.models.types import (
    AccountHealth,
    AccountStatus,
    AuthStatus,
    ConnectionMethod,
    RegionResult,
    Role,
    RunKind,
    RunState,
)
from app.services.accounts.calls import hour_of
from app.services.dashboard.days import DAYS, Day
from app.services.dashboard.needs import Reason
from app.services.dashboard.places import Group, Place
from app.services.dashboard.summary import Dashboard, summarize
from app.services.instances.change_tallies import day_of
from tests.factories import make_account, make_instance, make_user

ACTIVE = {"status": AccountStatus.ACTIVE}


@pytest.fixture
def context(any_database: Flask) -> Iterator[None]:
    with any_database.app_context():
        yield
        db.session.rollback()


def look(viewer: User) -> Dashboard:
    db.session.flush()
    return summarize(viewer, interval_seconds=900, calls_per_hour=100)


def read(account: Account, *regions: str) -> None:
    now = utc_now()
    account.last_good_at = now
    for region in regions:
        db.session.add(
            RegionScan(account_id=account.id, region=region, result=RegionResult.READ, since_at=now, last_read_at=now)
        )


@pytest.mark.usefixtures("context")
class TestFigures:
    def test_they_are_those_of_a_fleet_made_by_hand(self) -> None:
        owner = make_user()
        account = make_account(owner, **ACTIVE)
        read(account, "us-east-1", "eu-west-1")
        for region, kinds in {
            "us-east-1": [
                ("running", "spot", "m5.large"),
                ("running", "spot", "m5.xlarge"),
                ("running", "on-demand", "m5.large"),
                ("stopped", "on-demand", "c5.large"),
                ("pending", "spot", "c5.large"),
                ("terminated", "spot", "c5.large"),
            ],
            "eu-west-1": [("stopping", "on-demand", "t3.nano"), ("rebooting", "on-demand", "t3.nano")],
        }.items():
            for state, lifecycle, kind in kinds:
                make_instance(account, region=region, state=state, lifecycle=lifecycle, instance_type=kind)
        make_instance(account, state="missing", missing_since=utc_now(), auth_status=AuthStatus.UNAUTHORIZED)
        make_instance(account, state="stopped", auth_status=AuthStatus.UNAUTHORIZED, region="eu-west-1")
        found = look(owner)
        assert (found.accounts, found.healthy, found.instances, found.running, found.running_spot) == (1, 1, 8, 3, 2)
        assert found.unauthorized == 1
        assert set(found.present_states) == {"running", "stopped", "pending", "stopping", "rebooting"}
        assert found.places == [
            Place("us-east-1", running=3, spot=2, stopped=1, other=1),
            Place("eu-west-1", running=0, spot=0, stopped=2, other=1),
        ]
        assert found.by_lifecycle == [("spot", 2), ("on-demand", 1)]
        assert found.families == [Group("m5", 3, ["m5.large", "m5.xlarge"])]
        [share] = found.largest
        assert (share.running, share.spot, share.unauthorized) == (3, 2, 1)
        assert found.is_read

    def test_what_was_never_read_is_unknown_and_not_nothing(self) -> None:
        owner = make_user()
        make_account(owner)
        found = look(owner)
        assert not found.is_read
        assert found.largest == []

    def test_a_client_sees_their_own_and_an_admin_everybody_s_with_its_owner(self) -> None:
        people = [make_user("first"), make_user("second")]
        for number, owner in enumerate(people, start=1):
            account = make_account(owner, **ACTIVE, account_name=f"of {owner.username}")
            read(account, "us-east-1")
            for _ in range(number):
                make_instance(account, auth_status=AuthStatus.UNAUTHORIZED)
            account.health = AccountHealth.PARTIAL
            db.session.add(Run(kind=RunKind.DISCOVER_ACCOUNT, account_id=account.id, due_at=utc_now()))
        db.session.flush()
        found = look(people[0])
        assert (found.accounts, found.running, found.unauthorized, found.needs_count) == (1, 1, 1, 1)
        assert [need.account_name for need in found.needs] == ["of first"]
        assert [share.account_name for share in found.largest] == ["of first"]
        assert [name for _, name in found.discoveries] == ["of first"]
        assert found.freshness.enabled == 1
        everything = look(make_user(role=Role.ADMIN))
        assert (everything.accounts, everything.running, everything.unauthorized) == (2, 3, 3)
        assert {(need.account_name, need.owner) for need in everything.needs} == {
            ("of first", "first"),
            ("of second", "second"),
        }
        assert [share.owner for share in everything.largest] == ["second", "first"]

    def test_only_discoveries_are_told_of_the_newest_first(self) -> None:
        owner = make_user()
        account = make_account(owner, **ACTIVE)
        ids = []
        for kind in [*[RunKind.DISCOVER_ACCOUNT] * 7, RunKind.VERIFY_ACCOUNT]:
            run = Run(kind=kind, account_id=account.id, due_at=utc_now(), state=RunState.SUCCEEDED)
            db.session.add(run)
            ids.append(run.id)
        assert [run.id for run, _ in look(owner).discoveries] == ids[6:0:-1]


@pytest.mark.usefixtures("context")
class TestNeeds:
    def test_each_reason_is_found_and_the_worst_comes_first(self) -> None:
        owner = make_user()
        now = utc_now()
        keys = {
            "connection_method": ConnectionMethod.ACCESS_KEYS,
            "_access_key_id": "sealed",
            "_secret_access_key": "sealed",
        }
        fine = {**ACTIVE, "last_good_at": now, "verified_at": now - timedelta(days=1)}
        cases: dict[str, dict[str, object]] = {
            Reason.FAILED: {
                "status": AccountStatus.FAILED,
                "health": AccountHealth.REFUSED,
                "error_code": FaultCode.ACCESS_DENIED,
            },
            Reason.REFUSED: {**fine, "health": AccountHealth.REFUSED},
            Reason.UNAVAILABLE: {**fine, "health": AccountHealth.UNAVAILABLE},
            Reason.ROLE_MISSING: {},
            Reason.NEVER_READ: {**fine, "status": AccountStatus.CONNECTED, "last_good_at": None},
            Reason.STALE: {**fine, "last_good_at": now - timedelta(hours=1)},
            Reason.PARTIAL: {**fine, "health": AccountHealth.PARTIAL, "regions_read": 16, "regions_enabled": 17},
            Reason.EVENTS_STOPPED: {**fine, "event_token_hash": "a" * 64, "event_at": now - timedelta(days=2)},
            Reason.OVER_BUDGET: fine,
            Reason.OLD_KEYS: {**fine, **keys, "keys_changed_at": now - timedelta(days=91)},
        }
        made = {reason: make_account(owner, account_name=reason, **values) for reason, values in cases.items()}
        well = {
            "keys that are new": {**fine, **keys, "keys_changed_at": now - timedelta(days=89)},
            "just connected": {**fine, "status": AccountStatus.CONNECTED, "last_good_at": None, "verified_at": now},
            "keys to be verified": keys,
            "some calls": fine,
            "events of today": {**fine, "event_token_hash": "b" * 64, "event_at": now},
            "a calm fleet": {**fine, "event_token_hash": "c" * 64, "event_at": now - timedelta(days=2)},
            "no events at all": fine,
        }
        others = {name: make_account(owner, account_name=name, **values) for name, values in well.items()}
        for account, hour, count in (
            (made[Reason.OVER_BUDGET], hour_of(now), 60),
            (others["some calls"], hour_of(now), 59),
            (others["some calls"], hour_of(now) - timedelta(hours=1), 200),
        ):
            for action in ("DescribeInstances", "DescribeRegions"):
                db.session.add(
                    ApiCall(account_id=account.id, hour_at=hour, region="us-east-1", action=action, count=count - 10)
                )
        for account in (made[Reason.EVENTS_STOPPED], others["events of today"], others["no events at all"]):
            db.session.add(ChangeTally(account_id=account.id, day=day_of(now), stopped=1))
        # What appears or vanishes without having started or stopped, no event tells of.
        db.session.add(ChangeTally(account_id=others["a calm fleet"].id, day=day_of(now), appeared=3, vanished=1))
        found = look(owner)
        assert found.needs_count == len(Reason)
        # The list is cut; the last of them is found when the worse ones are gone.
        assert [(need.account_name, list(need.reasons)) for need in found.needs] == [
            (reason, [reason]) for reason in list(Reason)[:8]
        ]
        for reason in list(Reason)[:2]:
            made[reason].user_id = make_user().id
        assert [need.worst for need in look(owner).needs] == list(Reason)[2:]

    def test_an_account_with_two_reasons_is_told_of_once(self) -> None:
        owner = make_user()
        make_account(
            owner,
            status=AccountStatus.FAILED,
            health=AccountHealth.REFUSED,
            connection_method=ConnectionMethod.ACCESS_KEYS,
            _access_key_id="sealed",
            _secret_access_key="sealed",
            keys_changed_at=utc_now() - timedelta(days=400),
        )
        found = look(owner)
        assert found.needs_count == 1
        assert found.needs[0].reasons == [Reason.FAILED, Reason.OLD_KEYS]

    def test_without_a_budget_nothing_is_over_it(self) -> None:
        owner = make_user()
        account = make_account(owner, **ACTIVE, last_good_at=utc_now())
        db.session.add(ApiCall(account_id=account.id, hour_at=hour_of(utc_now()), region="x", action="y", count=10**6))
        db.session.flush()
        assert summarize(owner, interval_seconds=900, calls_per_hour=0).needs_nothing


@pytest.mark.usefixtures("context")
class TestDays:
    def test_a_day_on_which_nothing_was_read_is_unknown_and_a_quiet_one_is_zero(self) -> None:
        owner = make_user()
        today = day_of(utc_now())
        account = make_account(owner, **ACTIVE)
        for ago, counts in {
            0: {"readings": 3, "started": 2},
            1: {"readings": 96},
            # No reading came through, and events told of this.
            3: {"stopped": 1},
            5: {"readings": 40, "appeared": 7, "vanished": 1},
            # The first: everything was new.
            9: {"readings": 1, "appeared": 500},
        }.items():
            db.session.add(ChangeTally(account_id=account.id, day=today - timedelta(days=ago), **counts))
        days = look(owner).days
        assert len(days) == DAYS
        by_age = {(today - day.day).days: day for day in days}
        assert days[-1] == Day(today, accounts=1, appeared=0, started=2, stopped=0, terminated=0, vanished=0)
        assert [age for age, day in sorted(by_age.items()) if day.is_known] == [0, 1, 3, 5, 9]
        assert (by_age[5].appeared, by_age[5].vanished, by_age[9].appeared) == (7, 1, 0)

    def test_they_are_of_one_s_own_accounts(self) -> None:
        people = [make_user(), make_user(), make_user(role=Role.ADMIN)]
        today = day_of(utc_now())
        for number, owner in enumerate(people[:2], start=1):
            account = make_account(owner, **ACTIVE)
            for day in (today - timedelta(days=1), today):
                db.session.add(ChangeTally(account_id=account.id, day=day, readings=5, appeared=number))
        assert [(look(one).days[-1].accounts, look(one).days[-1].appeared) for one in people] == [
            (1, 1),
            (1, 2),
            (2, 3),
        ]
