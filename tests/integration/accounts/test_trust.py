"""Whose identity is used for what, over everything that a connected account goes through."""

import pytest
from flask import Flask

from app.database import db
from app.errors import FaultCode
from app.models import Account, User
from app.models.types import AccountStatus, ConnectionMethod, RunKind
from app.services.accounts import connect
from app.services.runs import enqueue
from demo.aws.accounts import Keys
from demo.aws.cloud import SimulatedAws
from demo.aws.policies import READ_INSTANCES
from tests.integration.customers import AWS_ID, connected, enter_by_keys
from tests.integration.discovery.inventory import digest
from tests.jobs import reload, run_jobs

#: What may be sent at all; none of it changes anything in AWS.
READING = {"AssumeRole", "GetCallerIdentity"}


def do_everything(app: Flask, account: Account) -> None:
    """What is queued, then all that is ever done with an account."""
    run_jobs(app)
    for kind in (RunKind.VERIFY_ACCOUNT, RunKind.DISCOVER_ACCOUNT, RunKind.CHECK_PERMISSIONS):
        with app.app_context():
            enqueue(kind, account=db.session.get_one(Account, account.id))
            db.session.commit()
        run_jobs(app)


class TestOurOwnIdentity:
    def test_it_assumes_the_role_and_does_nothing_else(
        self, app: Flask, aws: SimulatedAws, app_keys: Keys, client1: User
    ) -> None:
        aws.run_instances(AWS_ID, "us-east-1", 3)
        do_everything(app, connected(app, aws, client1))
        as_ourselves = {call.action for call in aws.calls if call.access_key_id == app_keys.access_key_id}
        assert as_ourselves == {"AssumeRole"}
        others = {call.action for call in aws.calls if call.access_key_id != app_keys.access_key_id}
        assert "DescribeInstances" in others

    @pytest.mark.parametrize("action", [None, "DescribeRegions", "GetCallerIdentity"])
    def test_it_never_steps_in_where_an_account_s_own_keys_fail(
        self, app: Flask, aws: SimulatedAws, app_keys: Keys, client1: User, action: str | None
    ) -> None:
        keys = aws.create_user_keys(AWS_ID, "keeper", READ_INSTANCES)
        account = enter_by_keys(app, client1, keys)
        run_jobs(app)
        aws.calls.clear()
        aws.faults.add("error", action=action, code="AuthFailure", status=401)
        do_everything(app, account)
        assert aws.calls
        assert {call.access_key_id for call in aws.calls} == {keys.access_key_id}

    def test_nothing_that_is_sent_changes_anything(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        do_everything(app, connected(app, aws, client1))
        others = {call.action for call in aws.calls} - READING
        assert others
        assert all(action.startswith("Describe") for action in others)


class TestAnotherAccountsCredentials:
    def test_keys_that_became_another_account_s_fail_it_and_nothing_is_written(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        aws.run_instances(AWS_ID, "us-east-1", 2)
        account = enter_by_keys(app, client1, aws.create_user_keys(AWS_ID, "keeper", READ_INSTANCES))
        run_jobs(app)
        before = digest(app)
        assert len(before) == 2
        stranger = aws.create_user_keys("210987654321", "stranger", READ_INSTANCES)
        aws.run_instances("210987654321", "us-east-1", 5)
        with app.app_context():
            row = db.session.get_one(Account, account.id)
            row.set_access_keys(stranger.access_key_id, stranger.secret_access_key)
            enqueue(RunKind.DISCOVER_ACCOUNT, account=row)
            db.session.commit()
        run_jobs(app)
        account = reload(app, account)
        assert (account.status, account.error_code) == (AccountStatus.FAILED, FaultCode.ACCOUNT_MISMATCH)
        assert digest(app) == before


class TestExternalIds:
    def test_one_is_never_used_again_when_its_account_was_disconnected(self, app: Flask, client1: User) -> None:
        seen = set()
        with app.app_context():
            owner = db.session.get_one(User, client1.id)
            for _ in range(3):
                account = connect.connect_account(
                    owner, account_id=AWS_ID, account_name="Again", connection_method=ConnectionMethod.IAM_ROLE
                )
                seen.add(account.external_id)
                connect.disconnect_account(account, confirmation="Again", actor=owner)
                db.session.commit()
        assert len(seen) == 3
