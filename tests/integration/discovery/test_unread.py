"""Discovery: what an incomplete reading must not change."""

from functools import partial
from typing import Any

import pytest
from flask import Flask

from app.aws import ec2
from app.aws.credentials import CredentialProvider
from app.aws.records import RegionRead, RegionUnread
from app.errors import FaultCode
from app.models import Account, User
from app.models.types import AccountHealth, AccountStatus, AuthStatus, RegionResult, RunState
from demo.aws.cloud import SimulatedAws
from demo.aws.trust import trust_policy
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import AWAY, HOME, digest, discover, rows, scan
from tests.jobs import reload, run_jobs

UNREADABLE = {
    "denied": RegionResult.DENIED_IAM,
    "throttle": RegionResult.THROTTLED,
    "server_error": RegionResult.ERROR,
    "html": RegionResult.MALFORMED,
    "empty": RegionResult.MALFORMED,
    "truncated": RegionResult.MALFORMED,
    "wrong_root": RegionResult.MALFORMED,
    "reset": RegionResult.UNREACHABLE,
    "token_loop": RegionResult.MALFORMED,
    "drip": RegionResult.UNREACHABLE,
    "hang": RegionResult.UNREACHABLE,
}


#: Between two bytes, and before the answer: both more than the patience below.
SECONDS = {"drip": 0.05, "hang": 2.0}


def lose_patience(monkeypatch: pytest.MonkeyPatch, region: str) -> None:
    """Read one region with the same limits as ever, but counted in tenths of a second."""
    patient = ec2.read_region
    hasty = partial(patient, read_timeout_seconds=0.3, call_seconds=0.6)

    def read_region(provider: CredentialProvider, name: str, **options: Any) -> RegionRead | RegionUnread:
        return (hasty if name == region else patient)(provider, name, **options)

    monkeypatch.setattr(ec2, "read_region", read_region)


class TestARegionThatCannotBeRead:
    @pytest.mark.parametrize(("kind", "result"), UNREADABLE.items())
    def test_it_keeps_what_was_known_and_says_why(
        self,
        app: Flask,
        account: Account,
        fleet: SimulatedAws,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        result: RegionResult,
    ) -> None:
        before = digest(app)
        read_before = scan(app, HOME).last_read_at
        fleet.faults.add(kind, action="DescribeInstances", region=HOME, seconds=SECONDS.get(kind, 0))
        if kind in SECONDS:
            lose_patience(monkeypatch, HOME)
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
        fleet.calls.clear()
        discover(app, account)
        assert digest(app) == before
        assert scan(app, AWAY).result is RegionResult.DENIED_SCP
        denied = [call for call in fleet.calls if call.region == AWAY]
        assert len(denied) == 1, "a denial is not asked for again"

    def test_a_region_denied_from_the_start_does_not_hold_up_the_baseline(
        self, app: Flask, fleet: SimulatedAws, client1: User
    ) -> None:
        fleet.deny_region(AWS_ID, AWAY)
        entered = connected(app, fleet, client1)
        run_jobs(app)
        assert reload(app, entered).baseline_at is not None
        fleet.allow_region(AWS_ID, AWAY)
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
        fleet.create_role(AWS_ID, "SpotkeeperReadOnly", trust_policy("arn:aws:iam::210987654321:root", None))
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
        fleet.faults.add("expired_token", action="DescribeInstances", region=HOME, page=2, times=1)
        discover(app, account)
        assert scan(app, HOME).result is RegionResult.READ
        assert reload(app, account).health is AccountHealth.OK
