"""Connecting an account: what AWS has to prove before we believe it."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import ConflictError, FaultCode, InvalidInputError
from app.models import Account, AccountEvent, Run, User
from app.models.types import AccountHealth, AccountStatus, RunState
from app.services.accounts import connect, verify
from demo.aws.cloud import SimulatedAws
from tests.factories import make_user
from tests.integration.customers import (
    AWS_ID,
    connected,
    enter_by_keys,
    enter_by_role,
    make_role,
    name_role,
)
from tests.jobs import reload, run_jobs


class TestVerifyingARole:
    def test_it_becomes_active_when_every_proof_holds(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = connected(app, aws, client1)
        assert account.status is AccountStatus.PENDING

        run_jobs(app)

        account = reload(app, account)
        assert (account.status, account.health) == (AccountStatus.ACTIVE, AccountHealth.OK)
        assert account.verified_account_id == AWS_ID
        assert account.account_metadata["caller_arn"].endswith(f"/spotkeeper-{account.id}")

    def test_it_walks_through_connected_and_writes_each_step_down(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        with app.app_context():
            steps = db.session.scalars(
                sa.select(AccountEvent.status).where(AccountEvent.account_id == account.id).order_by(AccountEvent.id)
            ).all()
        assert list(dict.fromkeys(steps)) == [AccountStatus.PENDING, AccountStatus.CONNECTED, AccountStatus.ACTIVE]

    def test_it_asks_with_a_wrong_and_with_no_external_id(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        asked = [call.external_id for call in aws.calls if call.action == "AssumeRole"]
        assert asked[0] == account.external_id
        assert None in asked
        assert any(external_id not in {None, account.external_id} for external_id in asked)

    def test_it_refuses_a_role_that_takes_any_external_id(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, make_role(aws, account, external_id=""))
        run_jobs(app)
        account = reload(app, account)
        assert account.status is AccountStatus.FAILED
        assert account.error_code is FaultCode.EXTERNAL_ID_NOT_ENFORCED
        assert account.verified_account_id is None

    def test_it_keeps_asking_while_a_role_is_new(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        assert run_jobs(app) == 1
        account = reload(app, account)
        assert account.status is AccountStatus.PENDING
        with app.app_context():
            run = db.session.scalars(sa.select(Run)).one()
            assert run.state is RunState.QUEUED
            assert run.attempt == 0, "waiting for AWS is not an attempt that failed"
            run.due_at = run.created_at
            db.session.commit()
        make_role(aws, account)
        run_jobs(app)
        assert reload(app, account).status is AccountStatus.ACTIVE

    def test_it_gives_up_on_a_role_that_never_comes(
        self, app: Flask, aws: SimulatedAws, client1: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verify, "NEW_ROLE_PATIENCE", verify.NEW_ROLE_PATIENCE * 0)
        account = enter_by_role(app, client1)
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        run_jobs(app)
        account = reload(app, account)
        assert account.status is AccountStatus.FAILED
        assert account.error_code is FaultCode.ACCESS_DENIED
        assert account.next_due_at is not None

    def test_another_account_s_role_is_refused_before_aws_is_asked(
        self, app: Flask, aws: SimulatedAws, client1: User
    ) -> None:
        account = enter_by_role(app, client1)
        with pytest.raises(InvalidInputError, match="another account"):
            name_role(app, account, "arn:aws:iam::210987654321:role/SpotkeeperReadOnly")
        assert not aws.calls

    def test_it_sends_nobody_else_s_external_id_to_a_role(
        self, app: Flask, aws: SimulatedAws, client1: User, client2: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The confused deputy: client2 names client1's account and role."""
        monkeypatch.setattr(verify, "NEW_ROLE_PATIENCE", verify.NEW_ROLE_PATIENCE * 0)
        first = connected(app, aws, client1)
        run_jobs(app)
        aws.calls.clear()

        second = enter_by_role(app, client2)
        name_role(app, second, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        run_jobs(app)

        assert {call.external_id for call in aws.calls if call.action == "AssumeRole"} == {second.external_id}
        second = reload(app, second)
        assert second.status is AccountStatus.FAILED
        assert second.error_code is FaultCode.ACCESS_DENIED
        assert reload(app, first).status is AccountStatus.ACTIVE

    def test_our_own_missing_identity_blames_nobody(
        self, app: Flask, aws: SimulatedAws, client1: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account = connected(app, aws, client1)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 40)
        run_jobs(app)
        account = reload(app, account)
        assert (account.status, account.health) == (AccountStatus.PENDING, AccountHealth.UNAVAILABLE)
        assert account.error_code is FaultCode.NO_APP_IDENTITY


class TestVerifyingKeys:
    def test_they_connect_their_own_account(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        account = enter_by_keys(app, client1, aws.create_user_keys(AWS_ID))
        run_jobs(app)
        assert reload(app, account).status is AccountStatus.ACTIVE

    @pytest.mark.parametrize(
        ("trouble", "code"),
        [
            ("wrong_account", FaultCode.ACCOUNT_MISMATCH),
            ("root", FaultCode.ROOT_CREDENTIALS),
            ("deleted", FaultCode.INVALID_ACCESS_KEY),
            ("wrong_secret", FaultCode.BAD_SECRET_KEY),
        ],
    )
    def test_they_are_refused_at_once(
        self, app: Flask, aws: SimulatedAws, client1: User, trouble: str, code: FaultCode
    ) -> None:
        keys = aws.create_user_keys("210987654321" if trouble == "wrong_account" else AWS_ID)
        if trouble == "root":
            keys = aws.create_root_keys(AWS_ID)
        account = enter_by_keys(app, client1, keys)
        if trouble == "deleted":
            aws.revoke_keys(keys)
        if trouble == "wrong_secret":
            with app.app_context():
                db.session.get_one(Account, account.id).set_access_keys(keys.access_key_id, "x" * 40)
                db.session.commit()
        run_jobs(app)
        account = reload(app, account)
        assert account.status is AccountStatus.FAILED
        assert account.error_code is code
        assert "210987654321" not in account.error_message, "another account's id is never told whole"

    def test_a_ciphertext_from_another_row_is_refused(
        self, app: Flask, aws: SimulatedAws, client1: User, client2: User
    ) -> None:
        mine = enter_by_keys(app, client1, aws.create_user_keys(AWS_ID))
        theirs = enter_by_keys(app, client2, aws.create_user_keys("210987654321"), "210987654321")
        with app.app_context():
            db.session.execute(
                sa.text(
                    "UPDATE accounts"
                    " SET aws_access_key_id = (SELECT aws_access_key_id FROM accounts WHERE id = :theirs),"
                    " aws_secret_access_key = (SELECT aws_secret_access_key FROM accounts WHERE id = :theirs)"
                    " WHERE id = :mine"
                ),
                {"theirs": theirs.id, "mine": mine.id},
            )
            db.session.commit()
        run_jobs(app)
        mine = reload(app, mine)
        assert mine.error_code is FaultCode.UNREADABLE_SECRET
        assert mine.verified_account_id is None
        assert not [call for call in aws.calls if call.account_id == AWS_ID]


class TestClaimingAnAccount:
    def test_the_second_owner_with_good_keys_is_refused_without_a_hint(
        self, any_database: Flask, aws: SimulatedAws
    ) -> None:
        app = any_database
        with app.app_context():
            one, two = make_user("one"), make_user("two")
            db.session.commit()
            db.session.refresh(one), db.session.refresh(two)
            db.session.expunge_all()
        first = enter_by_keys(app, one, aws.create_user_keys(AWS_ID))
        run_jobs(app)
        second = enter_by_keys(app, two, aws.create_user_keys(AWS_ID, "other"))
        run_jobs(app)
        assert reload(app, first).status is AccountStatus.ACTIVE
        second = reload(app, second)
        assert second.status is AccountStatus.FAILED
        assert second.error_code is FaultCode.ACCOUNT_TAKEN
        assert "one" not in second.error_message

    def test_a_mere_claim_keeps_nobody_out(self, app: Flask, aws: SimulatedAws, client1: User, client2: User) -> None:
        enter_by_role(app, client2)
        account = connected(app, aws, client1)
        run_jobs(app)
        assert reload(app, account).status is AccountStatus.ACTIVE

    def test_one_owner_enters_an_account_once(self, app: Flask, client1: User) -> None:
        enter_by_role(app, client1)
        with pytest.raises(ConflictError, match="already"):
            enter_by_role(app, client1)

    def test_external_ids_are_never_the_same(self, app: Flask, client1: User) -> None:
        ids = {enter_by_role(app, client1, f"{number:012d}").external_id for number in range(50)}
        assert len(ids) == 50
        assert all(len(external_id) == 32 for external_id in ids)


class TestDisconnecting:
    def test_everything_of_it_goes_but_the_log(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        from app.models import Instance, RegionScan, SystemLog

        aws_account = connected(app, aws, client1)
        run_jobs(app)
        with app.app_context():
            account = db.session.get_one(Account, aws_account.id)
            connect.disconnect_account(account, confirmation="Production", actor=db.session.get_one(User, client1.id))
            db.session.commit()
            for model in (Account, Instance, RegionScan, Run, AccountEvent):
                assert db.session.scalar(sa.select(sa.func.count()).select_from(model)) == 0, model
            assert db.session.scalar(
                sa.select(sa.func.count()).where(SystemLog.message.contains(f"{AWS_ID} disconnected"))
            )

    def test_it_asks_for_the_name(self, app: Flask, client1: User) -> None:
        entered = enter_by_role(app, client1)
        with app.app_context():
            account, actor = db.session.get_one(Account, entered.id), db.session.get_one(User, client1.id)
            with pytest.raises(InvalidInputError):
                connect.disconnect_account(account, confirmation="production", actor=actor)
