"""A role that is made after the account was entered: looked for and waited for, never called failed meanwhile."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.aws.identity import CallerIdentity
from app.database import db
from app.errors import FaultCode
from app.models import Account, AccountEvent, Run, User
from app.models.types import AccountHealth, AccountStatus, RunState
from app.services.accounts import connect, verify
from app.services.identity import record_identity
from demo.aws.cloud import SimulatedAws
from tests.fakes.aws import APP_ACCOUNT
from tests.integration.customers import AWS_ID, enter_by_role, make_role, name_role
from tests.jobs import reload, run_jobs


@pytest.fixture(autouse=True)
def identity(app: Flask) -> None:
    with app.app_context():
        record_identity(CallerIdentity(APP_ACCOUNT, f"arn:aws:iam::{APP_ACCOUNT}:user/spotkeeper", "aws", "AIDAX"))
        db.session.commit()


def look(app: Flask, account: Account) -> bool:
    with app.app_context():
        row = db.session.get_one(Account, account.id)
        is_queued = connect.look_for_role(row, actor=db.session.get_one(User, row.user_id))
        db.session.commit()
    return is_queued


def pass_time(app: Flask, seconds: float) -> None:
    """As if that much time had passed for the run that waits."""
    with app.app_context():
        run = db.session.scalars(sa.select(Run).where(Run.state == RunState.QUEUED)).one()
        assert run.attempt == 0, "waiting for AWS is not an attempt that failed"
        run.created_at -= timedelta(seconds=seconds)
        run.due_at = run.created_at
        db.session.commit()


def statuses(app: Flask, account: Account) -> set[AccountStatus]:
    with app.app_context():
        steps = set(db.session.scalars(sa.select(AccountEvent.status).where(AccountEvent.account_id == account.id)))
    return steps | {reload(app, account).status}


class TestLooking:
    def test_an_account_connects_by_itself_once_its_role_is_there(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = enter_by_role(app, client1)
        assert look(app, account)
        for _ in range(5):
            assert run_jobs(app) == 1
            pass_time(app, 5)
        assert statuses(app, account) == {AccountStatus.PENDING}
        assert len(aws.calls_to("AssumeRole")) == 5

        arn = make_role(aws, account)
        run_jobs(app)

        account = reload(app, account)
        assert (account.status, account.role_arn) == (AccountStatus.ACTIVE, arn)
        assert AccountStatus.FAILED not in statuses(app, account)

    def test_each_try_sends_this_account_s_external_id_and_no_other(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = enter_by_role(app, client1)
        look(app, account)
        run_jobs(app)
        assert {call.external_id for call in aws.calls_to("AssumeRole")} == {account.external_id}

    def test_where_none_comes_nothing_has_failed_and_nothing_goes_on(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = enter_by_role(app, client1)
        look(app, account)
        run_jobs(app)
        pass_time(app, verify.LOOKING_PATIENCE.total_seconds())
        assert run_jobs(app) == 1
        account = reload(app, account)
        assert (account.status, account.health) == (AccountStatus.PENDING, AccountHealth.UNKNOWN)
        assert (account.error_code, account.next_due_at) == (None, None)

    def test_one_that_lets_anybody_in_is_refused_without_being_named(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = enter_by_role(app, client1)
        arn = make_role(aws, account, external_id="")
        look(app, account)
        run_jobs(app)
        account = reload(app, account)
        assert (account.status, account.error_code) == (AccountStatus.FAILED, FaultCode.EXTERNAL_ID_NOT_ENFORCED)
        assert account.role_arn == arn

    def test_it_does_not_begin_while_aws_does_not_know_us(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        from app.errors import AwsFault

        with app.app_context():
            record_identity(AwsFault(FaultCode.NO_APP_IDENTITY))
            db.session.commit()
        assert not look(app, enter_by_role(app, client1))
        assert run_jobs(app) == 0


class TestWaiting:
    def test_tries_come_less_and_less_often(self) -> None:
        waits = [verify.seconds_to_next_try(timedelta(seconds=waited)) for waited in (0, 25, 60, 120, 600, 3600)]
        assert waits == [5, 5, 10, 20, 30, 30]
        of_many = [verify.seconds_to_next_try(timedelta(seconds=s), is_one_of_many=True) for s in (0, 600, 3600)]
        assert of_many == [60, 100, 300]

    def test_a_named_role_is_asked_for_for_ten_minutes(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        for passed in (60, 120, 300, 60):
            assert run_jobs(app) == 1
            assert statuses(app, account) == {AccountStatus.PENDING}
            pass_time(app, passed)
        with app.app_context():
            assert db.session.scalars(sa.select(Run.summary).where(Run.state == RunState.QUEUED)).one() == {"tries": 4}

        assert run_jobs(app) == 1, "nine minutes have passed"
        pass_time(app, 60)
        run_jobs(app)
        account = reload(app, account)
        assert (account.status, account.error_code) == (AccountStatus.FAILED, FaultCode.ACCESS_DENIED)
        assert account.next_due_at is not None

    def test_one_that_failed_is_waited_for_again_when_somebody_has_mended_it(
        self, app: Flask, aws: SimulatedAws, client1: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = enter_by_role(app, client1)
        with monkeypatch.context() as patch:
            patch.setattr(verify, "NEW_ROLE_PATIENCE", timedelta())
            name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
            run_jobs(app)
        assert reload(app, account).status is AccountStatus.FAILED
        with app.app_context():
            connect.request_verification(
                db.session.get_one(Account, account.id), actor=db.session.get_one(User, client1.id)
            )
            db.session.commit()
        assert reload(app, account).status is AccountStatus.PENDING
        run_jobs(app)
        make_role(aws, account)
        pass_time(app, 10)
        run_jobs(app)
        assert reload(app, account).status is AccountStatus.ACTIVE
