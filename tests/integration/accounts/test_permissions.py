"""The permission grid: asked for by a job, kept by region and action, shown with what to add."""

import json
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask, render_template

from app.aws.cloudformation import permission_policy
from app.aws.grants import read_actions
from app.aws.permissions import Permission
from app.database import database_now, db
from app.errors import ConflictError, FaultCode
from app.models import Account, ApiCall, RegionPermission, Run, User
from app.models.types import AccountHealth, AccountStatus, PermissionResult, RunKind, RunState
from app.services.accounts.permissions import (
    Grid,
    enqueue_permission_checks,
    list_permission_grid,
    record_permissions,
    request_permission_check,
)
from app.services.runs import enqueue
from demo.aws.cloud import SimulatedAws
from tests.client import Page
from tests.conftest import SignIn
from tests.factories import make_account, make_user
from tests.integration.customers import AWS_ID, enter_by_role, make_role, name_role
from tests.jobs import reload, run_jobs

READ_ACTIONS = read_actions()

HOME, AWAY, CLOSED = "us-east-1", "eu-west-1", "me-south-1"
INSTANCES = "ec2:DescribeInstances"
DAY = 86_400


def grid_of(app: Flask, account: Account) -> Grid:
    with app.app_context():
        return list_permission_grid(db.session.get_one(Account, account.id))


def check(app: Flask, account: Account) -> Run:
    with app.app_context():
        run_id = enqueue(RunKind.CHECK_PERMISSIONS, account=db.session.get_one(Account, account.id)).id
        db.session.commit()
    run_jobs(app)
    with app.app_context():
        run = db.session.get_one(Run, run_id)
        db.session.expunge(run)
    return run


def verified(app: Flask, aws: SimulatedAws, owner: User, actions: Sequence[str] = READ_ACTIONS) -> Account:
    """An account whose role allows these actions; verified and, where that is allowed, discovered."""
    account = enter_by_role(app, owner)
    policy = permission_policy()
    policy["Statement"][0]["Action"] = list(actions)
    name_role(app, account, make_role(aws, account, permissions=policy))
    run_jobs(app)
    return account


class TestTheJob:
    def test_it_tells_for_each_region_what_is_allowed(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = verified(app, aws, client1)
        run = check(app, account)
        assert run.state is RunState.SUCCEEDED
        assert run.summary == {
            "permissions_allowed": 14,
            "permissions_denied": 0,
            "permissions_unknown": 0,
            "calls": 15,
        }
        grid = grid_of(app, account)
        assert [(row.region, row.is_enabled) for row in grid.rows] == [(AWAY, True), (HOME, True), (CLOSED, False)]
        assert grid.checked_at
        assert not grid.missing
        assert not grid.forbidden

    def test_it_names_what_is_missing_and_the_statement_to_add(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = verified(app, aws, client1, actions=["ec2:DescribeRegions", INSTANCES])
        check(app, account)
        missing = grid_of(app, account).missing
        assert [lacking.action for lacking in missing] == [a for a in READ_ACTIONS[1:] if a != INSTANCES]
        assert missing[0].regions == [AWAY, HOME]
        assert json.loads(missing[0].statement) == {
            "Sid": "SpotkeeperRead",
            "Effect": "Allow",
            "Action": ["ec2:DescribeInstanceStatus"],
            "Resource": "*",
        }

    def test_the_organization_s_denial_is_told_apart(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = verified(app, aws, client1)
        aws.deny_region(AWS_ID, AWAY)
        check(app, account)
        grid = grid_of(app, account)
        assert not grid.missing
        assert [lacking.action for lacking in grid.forbidden] == list(READ_ACTIONS)
        assert {region for lacking in grid.forbidden for region in lacking.regions} == {AWAY}

    def test_where_regions_may_not_be_listed_it_asks_in_those_it_has_known(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = verified(app, aws, client1, actions=[INSTANCES])
        check(app, account)
        grid = grid_of(app, account)
        assert [row.region for row in grid.rows] == [HOME], "nothing was read, so only the home region is known"
        assert grid.missing[0].action == "ec2:DescribeRegions"

    def test_a_trouble_on_the_way_keeps_what_was_known_and_blames_nobody(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = verified(app, aws, client1)
        check(app, account)
        before = grid_of(app, account)
        aws.faults.add("throttle", service="ec2")
        run = check(app, account)
        assert (run.state, run.error_code) == (RunState.FAILED, FaultCode.THROTTLED)
        after = grid_of(app, account)
        assert (after.checked_at, after.unknown) == (before.checked_at, 0)
        account = reload(app, account)
        assert (account.status, account.health, account.stumbles) == (AccountStatus.ACTIVE, AccountHealth.OK, 0)

    def test_a_region_in_trouble_is_unknown_beside_the_others(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = verified(app, aws, client1)
        aws.faults.add("server_error", service="ec2", region=AWAY)
        assert check(app, account).summary["permissions_unknown"] == 7
        assert grid_of(app, account).unknown == 7

    def test_its_calls_are_counted_and_wait_for_their_budget(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = verified(app, aws, client1)
        check(app, account)
        counted = sa.select(ApiCall.count).where(ApiCall.action == "ec2:DescribeSpotPriceHistory")
        with app.app_context():
            assert db.session.scalars(counted).all() == [1, 1]
            db.session.execute(sa.update(ApiCall).values(count=2000))
            db.session.commit()
        aws.calls.clear()
        run = check(app, account)
        assert (run.state, run.attempt) == (RunState.QUEUED, 0)
        assert run.progress_text.startswith("Waits for the budget of calls")
        assert not aws.calls


class TestKeeping:
    def test_what_is_not_asked_for_any_more_is_forgotten(self, any_database: Flask) -> None:
        with any_database.app_context():
            account = make_account(make_user())
            both = [Permission(region, INSTANCES, None) for region in (AWAY, HOME)]
            record_permissions(account.id, both)
            db.session.commit()
            record_permissions(account.id, [Permission(HOME, INSTANCES, FaultCode.DENIED_IAM, "UnauthorizedOperation")])
            db.session.commit()
            kept = db.session.scalars(sa.select(RegionPermission)).all()
            assert [(row.region, row.result) for row in kept] == [(HOME, PermissionResult.DENIED_IAM)]
            assert account.permissions_checked_at == kept[0].checked_at


class TestWhen:
    def queued(self, app: Flask) -> int:
        with app.app_context():
            return enqueue_permission_checks(every_seconds=DAY)

    @pytest.fixture
    def account_pk(self, any_database: Flask) -> int:
        with any_database.app_context():
            account = make_account(make_user(), status=AccountStatus.ACTIVE, verified_at=database_now())
            db.session.commit()
            return account.id

    def change(self, app: Flask, account_pk: int, **values: object) -> None:
        with app.app_context():
            for run in db.session.scalars(sa.select(Run)):
                run.state, run.active_key = RunState.SUCCEEDED, None
            db.session.execute(sa.update(Account).where(Account.id == account_pk).values(**values))
            db.session.commit()

    def test_once_after_an_account_was_verified(self, any_database: Flask, account_pk: int) -> None:
        assert [self.queued(any_database) for _ in range(3)] == [1, 0, 0]

    def test_one_that_did_not_get_through_is_not_repeated_at_once(self, any_database: Flask, account_pk: int) -> None:
        self.queued(any_database)
        self.change(any_database, account_pk, permissions_checked_at=None)
        assert self.queued(any_database) == 0

    def test_again_when_it_was_verified_anew(self, any_database: Flask, account_pk: int) -> None:
        self.queued(any_database)
        with any_database.app_context():
            now = database_now()
        self.change(any_database, account_pk, permissions_checked_at=now, verified_at=now + timedelta(seconds=1))
        assert self.queued(any_database) == 1

    def test_once_a_day(self, any_database: Flask, account_pk: int) -> None:
        with any_database.app_context():
            yesterday = database_now() - timedelta(seconds=DAY + 60)
        self.change(any_database, account_pk, verified_at=yesterday, permissions_checked_at=yesterday)
        assert self.queued(any_database) == 1

    @pytest.mark.parametrize("values", [{"health": AccountHealth.UNAVAILABLE}, {"status": AccountStatus.FAILED}])
    def test_not_while_the_account_cannot_be_reached(
        self, any_database: Flask, account_pk: int, values: dict[str, object]
    ) -> None:
        self.change(any_database, account_pk, **values)
        assert self.queued(any_database) == 0

    def test_an_account_that_is_not_verified_is_not_asked(self, app: Flask, client1: User) -> None:
        with app.app_context():
            account = make_account(client1)
            with pytest.raises(ConflictError, match="verified first"):
                request_permission_check(account, actor=client1)


class TestThePage:
    def show(self, app: Flask, account: Account) -> Page:
        with app.test_request_context():
            row = db.session.get_one(Account, account.id)
            return Page(render_template("account/_permissions.html", account=row, grid=list_permission_grid(row)))

    def test_the_button_asks_again_as_a_person(
        self, app: Flask, aws: SimulatedAws, client1: User, sign_in: SignIn
    ) -> None:
        account = verified(app, aws, client1)
        assert sign_in(client1).send(f"/accounts/{account.id}/permissions").status_code == 303
        with app.app_context():
            run = db.session.scalars(sa.select(Run).where(Run.kind == RunKind.CHECK_PERMISSIONS)).one()
            assert run.requested_by_id == client1.id

    def test_each_cell_has_a_word_and_what_is_missing_its_statement(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = verified(app, aws, client1, actions=[a for a in READ_ACTIONS if a != "ec2:DescribeSpotPriceHistory"])
        check(app, account)
        page = self.show(app, account)
        assert not page.faults
        assert page.html.count(">allowed</span>") == 12
        assert page.html.count(">missing</span>") == 2
        assert "not enabled for this account" in page.html
        assert "ec2:DescribeSpotPriceHistory" in page.one("pre").text
        assert page.one("details").get("open") is not None

    def test_where_all_is_well_the_grid_is_folded(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = verified(app, aws, client1)
        assert "AWS has not been asked yet" in self.show(app, account).html
        check(app, account)
        page = self.show(app, account)
        assert "allowed in all 2 enabled regions" in page.html
        assert page.one("details").get("open") is None

    def test_it_says_whom_to_ask_about_an_organization_s_policy(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = verified(app, aws, client1)
        aws.deny_region(AWS_ID, AWAY)
        check(app, account)
        page = self.show(app, account)
        assert "management account of your AWS organization" in page.html
        assert "Everything in eu-west-1" in page.text
