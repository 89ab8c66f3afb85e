"""Other credentials for a working account: tested before the old ones go."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import FaultCode
from app.models import Account, CredentialCandidate, Instance, Run, User
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod, RunState
from app.services.accounts import connect, verify
from demo.aws.accounts import Keys
from demo.aws.cloud import SimulatedAws
from tests.factories import make_user
from tests.integration.customers import AWS_ID, connected, enter_by_keys, make_role, name_role
from tests.jobs import reload, run_jobs


def replace_keys(app: Flask, account: Account, keys: Keys) -> None:
    with app.app_context():
        row = db.session.get_one(Account, account.id)
        actor = db.session.get_one(User, row.user_id)
        connect.replace_keys(row, keys.access_key_id, keys.secret_access_key, actor=actor)
        db.session.commit()


def ciphertexts(app: Flask, account: Account) -> tuple[Any, ...]:
    query = "SELECT aws_access_key_id, aws_secret_access_key FROM accounts WHERE id = :id"
    with app.app_context():
        return tuple(db.session.execute(sa.text(query), {"id": account.id}).one())


def candidate(app: Flask) -> CredentialCandidate | None:
    with app.app_context():
        found = db.session.scalars(sa.select(CredentialCandidate)).one_or_none()
        if found is not None:
            db.session.expunge(found)
    return found


def by_keys(app: Flask, aws: SimulatedAws, owner: User) -> Account:
    aws.run_instances(AWS_ID, "us-east-1", 2)
    account = enter_by_keys(app, owner, aws.create_user_keys(AWS_ID, "first"))
    run_jobs(app)
    return reload(app, account)


class TestMovingToARole:
    def test_the_keys_are_erased_once_the_role_has_passed_and_all_else_stays(
        self, any_database: Flask, aws: SimulatedAws
    ) -> None:
        app = any_database
        with app.app_context():
            owner = make_user()
            db.session.commit()
            db.session.refresh(owner)
            db.session.expunge_all()
        before = by_keys(app, aws, owner)
        with app.app_context():
            instances = db.session.scalars(sa.select(Instance.id).order_by(Instance.id)).all()
        arn = f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly"
        name_role(app, before, arn)
        run_jobs(app)
        waiting = reload(app, before)
        assert (waiting.connection_method, waiting.status) == (ConnectionMethod.ACCESS_KEYS, AccountStatus.ACTIVE)
        assert all(ciphertexts(app, before)), "the role is not there yet, so the keys must stay"

        make_role(aws, before)
        with app.app_context():
            run = db.session.scalars(sa.select(Run).where(Run.state == RunState.QUEUED)).one()
            run.due_at = run.created_at
            db.session.commit()
        run_jobs(app)

        after = reload(app, before)
        assert (after.connection_method, after.role_arn) == (ConnectionMethod.IAM_ROLE, arn)
        assert (after.status, after.health) == (AccountStatus.ACTIVE, AccountHealth.OK)
        assert ciphertexts(app, before) == (None, None)
        assert (after.external_id, after.created_at) == (before.external_id, before.created_at)
        with app.app_context():
            assert db.session.scalars(sa.select(Instance.id).order_by(Instance.id)).all() == instances
        assert candidate(app) is None

    @pytest.mark.parametrize("trouble", ["never_there", "lets_anybody_in"])
    def test_a_role_that_fails_changes_nothing_and_says_why(
        self, app: Flask, aws: SimulatedAws, client1: User, monkeypatch: pytest.MonkeyPatch, trouble: str
    ) -> None:
        monkeypatch.setattr(verify, "NEW_ROLE_PATIENCE", timedelta())
        before = by_keys(app, aws, client1)
        if trouble == "lets_anybody_in":
            make_role(aws, before, external_id="")
        name_role(app, before, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        sealed = ciphertexts(app, before)
        run_jobs(app)
        after = reload(app, before)
        assert (after.status, after.health, after.error_code) == (AccountStatus.ACTIVE, AccountHealth.OK, None)
        assert (after.connection_method, after.role_arn) == (ConnectionMethod.ACCESS_KEYS, None)
        assert ciphertexts(app, before) == sealed
        refused = candidate(app)
        assert refused is not None
        assert refused.refused_at is not None
        wanted = FaultCode.ACCESS_DENIED if trouble == "never_there" else FaultCode.EXTERNAL_ID_NOT_ENFORCED
        assert refused.error_code is wanted


class TestReplacingKeys:
    def test_the_new_ones_take_over_when_they_have_passed(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = by_keys(app, aws, client1)
        new = aws.create_user_keys(AWS_ID, "second")
        replace_keys(app, account, new)
        assert reload(app, account).access_key_hint != new.access_key_id[-4:]
        run_jobs(app)
        with app.app_context():
            row = db.session.get_one(Account, account.id)
            assert row.open_access_keys() == (new.access_key_id, new.secret_access_key)
            assert row.status is AccountStatus.ACTIVE
        assert candidate(app) is None

    @pytest.mark.parametrize(
        ("trouble", "code"),
        [
            ("revoked", FaultCode.INVALID_ACCESS_KEY),
            ("wrong_account", FaultCode.ACCOUNT_MISMATCH),
            ("root", FaultCode.ROOT_CREDENTIALS),
        ],
    )
    def test_bad_ones_are_erased_and_the_old_ones_go_on(
        self, app: Flask, aws: SimulatedAws, client1: User, trouble: str, code: FaultCode
    ) -> None:
        account = by_keys(app, aws, client1)
        before = ciphertexts(app, account)
        new = (
            aws.create_root_keys(AWS_ID)
            if trouble == "root"
            else aws.create_user_keys("210987654321" if trouble == "wrong_account" else AWS_ID, "second")
        )
        if trouble == "revoked":
            aws.revoke_keys(new)
        replace_keys(app, account, new)
        run_jobs(app)
        assert ciphertexts(app, account) == before
        after = reload(app, account)
        assert (after.status, after.health) == (AccountStatus.ACTIVE, AccountHealth.OK)
        refused = candidate(app)
        assert refused is not None
        assert (refused.error_code, refused._secret_access_key, refused._access_key_id) == (code, None, None)

        with app.app_context():
            row = db.session.get_one(Account, account.id)
            connect.request_discovery(row, actor=db.session.get_one(User, client1.id))
            db.session.commit()
        run_jobs(app)
        assert reload(app, account).status is AccountStatus.ACTIVE, "the old keys still read the account"

    def test_our_own_trouble_is_waited_through(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = by_keys(app, aws, client1)
        replace_keys(app, account, aws.create_user_keys(AWS_ID, "second"))
        aws.faults.add("server_error", service="sts")
        run_jobs(app)
        waiting = candidate(app)
        assert waiting is not None
        assert waiting.refused_at is None
        assert reload(app, account).health is AccountHealth.OK
        aws.faults.clear()
        with app.app_context():
            run = db.session.scalars(sa.select(Run).where(Run.state == RunState.QUEUED)).one()
            run.due_at = run.created_at
            db.session.commit()
        run_jobs(app)
        assert candidate(app) is None

    def test_a_denied_discovery_does_not_refuse_what_is_proposed(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        with app.app_context():
            row = db.session.get_one(Account, account.id)
            connect.request_discovery(row, actor=db.session.get_one(User, client1.id))
            db.session.commit()
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/Other")
        run_jobs(app)
        proposed = candidate(app)
        assert proposed is not None
        assert proposed.refused_at is None

    def test_disconnecting_takes_what_is_proposed_with_it(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = by_keys(app, aws, client1)
        replace_keys(app, account, aws.create_user_keys(AWS_ID, "second"))
        with app.app_context():
            row = db.session.get_one(Account, account.id)
            actor = db.session.get_one(User, client1.id)
            connect.disconnect_account(row, confirmation=row.account_name, actor=actor)
            db.session.commit()
        assert candidate(app) is None
