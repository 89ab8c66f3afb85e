"""Renaming, replacing credentials, disconnecting."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db
from app.models import Account, User
from app.models.mixins import utc_now
from app.models.types import AccountStatus, ConnectionMethod
from demo.aws.cloud import SimulatedAws
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.integration.customers import AWS_ID, connected, enter_by_keys, make_role
from tests.integration.web.accounts.pages import (
    BAD_ARNS,
    BAD_NAMES,
    KEY_ID,
    OTHER_ID,
    SECRET,
    count_runs,
    error_of,
    names,
    path,
)
from tests.jobs import reload, run_jobs


class TestRenaming:
    def test_it_renames(self, app: Flask, account1: Account, owner: PageClient) -> None:
        answer = owner.submit(
            path(account1, "rename"), {"account_name": "  Big \n fleet "}, page=path(account1, "rename")
        )
        assert answer.status_code == 303
        assert owner.get_page(path(account1)).heading == "Big fleet"
        assert "Renamed." in owner.page.text

    @pytest.mark.parametrize(("name", "words"), BAD_NAMES)
    def test_a_bad_name_is_said_beside_the_field(
        self, app: Flask, account1: Account, owner: PageClient, name: str, words: str
    ) -> None:
        answer = owner.submit(path(account1, "rename"), {"account_name": name}, page=path(account1, "rename"))
        assert answer.status_code == 422
        assert words in error_of(owner.page, "account_name")
        assert reload(app, account1).account_name == "Production"

    def test_nothing_else_can_be_set(self, app: Flask, account1: Account, owner: PageClient) -> None:
        owner.send(path(account1, "rename"), {"account_name": "New", "account_id": OTHER_ID, "status": "failed"})
        after = reload(app, account1)
        assert (after.account_name, after.account_id, after.status) == ("New", "111111111111", AccountStatus.ACTIVE)

    def test_a_super_admin_may_and_an_admin_may_not(
        self, account1: Account, admin: User, superadmin: User, sign_in: SignIn
    ) -> None:
        assert sign_in(superadmin).send(path(account1, "rename"), {"account_name": "New"}).status_code == 303
        assert sign_in(admin).send(path(account1, "rename"), {"account_name": "Newer"}).status_code == 403


class TestReplacingCredentials:
    def test_another_role(self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        page = owner.get_page(path(account, "credentials"))
        assert page.one("input", name="role_arn").get("value") == reload(app, account).role_arn
        answer = owner.submit(path(account, "credentials"), {"role_arn": f"arn:aws:iam::{AWS_ID}:role/Other"})
        assert answer.status_code == 303
        before = reload(app, account)
        assert (before.role_arn, before.status) == (make_role(aws, account), AccountStatus.ACTIVE)
        assert "A new role is being tested" in owner.get_page(path(account)).text
        run_jobs(app)
        page = owner.get_page(path(account))
        assert "Waiting for AWS to know the role" in page.text
        assert f"arn:aws:iam::{AWS_ID}:role/Other" in page.text
        assert owner.submit(path(account, "credentials/withdraw"), page=path(account)).status_code == 303
        page = owner.get_page(path(account))
        assert "is being tested" not in page.text
        assert count_runs(app, active=True) == 0

    def test_from_a_role_to_keys_and_back(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = connected(app, aws, client1)
        run_jobs(app)
        keys = aws.create_user_keys(AWS_ID)
        values = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        there = path(account, "credentials?method=access_keys")
        assert owner.submit(path(account, "credentials"), values, page=there).status_code == 303
        assert keys.secret_access_key not in owner.get_page(path(account)).html
        run_jobs(app)
        after = reload(app, account)
        assert (after.connection_method, after.role_arn) == (ConnectionMethod.ACCESS_KEYS, None)
        assert after.status is AccountStatus.ACTIVE

        back = path(account, "credentials?method=iam_role")
        answer = owner.submit(path(account, "credentials"), {"role_arn": make_role(aws, account)}, page=back)
        assert answer.status_code == 303
        run_jobs(app)
        after = reload(app, account)
        assert (after.connection_method, after.access_key_hint) == (ConnectionMethod.IAM_ROLE, "")
        assert after.status is AccountStatus.ACTIVE

    @pytest.mark.parametrize(("arn", "words"), BAD_ARNS[:9])
    def test_a_bad_role_is_said_beside_the_field(
        self, app: Flask, account1: Account, owner: PageClient, arn: str, words: str
    ) -> None:
        arn = arn.replace(AWS_ID, account1.account_id)
        answer = owner.submit(path(account1, "credentials"), {"role_arn": arn}, page=path(account1, "credentials"))
        assert answer.status_code == 422
        assert words in error_of(owner.page, "role_arn")
        assert reload(app, account1).role_arn == account1.role_arn

    def test_bad_keys_are_said_beside_the_field_and_the_secret_is_gone(
        self, app: Flask, account1: Account, owner: PageClient
    ) -> None:
        values = {"access_key_id": "ASIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET}
        there = path(account1, "credentials?method=access_keys")
        answer = owner.submit(path(account1, "credentials"), values, page=there)
        assert answer.status_code == 422
        assert "temporary" in error_of(owner.page, "access_key_id")
        assert SECRET not in answer.text
        assert reload(app, account1).connection_method is ConnectionMethod.IAM_ROLE

    def test_nothing_is_stored_when_the_account_has_changed_meanwhile(
        self, app: Flask, account1: Account, owner: PageClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from app.errors import ConflictError
        from app.services.accounts import connect

        def lose(*_: Any, **__: Any) -> None:
            raise ConflictError("The account has changed meanwhile.")

        monkeypatch.setattr(connect, "set_standing", lose)
        with app.app_context():
            db.session.get_one(Account, account1.id).status = AccountStatus.FAILED
            db.session.commit()
        values = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
        answer = owner.send(path(account1, "credentials?method=access_keys"), values)
        assert answer.status_code == 409
        assert "changed meanwhile" in owner.page.text
        after = reload(app, account1)
        assert (after.connection_method, after.access_key_hint) == (ConnectionMethod.IAM_ROLE, "")

    def test_keys_that_did_not_pass_are_told_with_the_reason_until_that_is_dismissed(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_keys(app, client1, aws.create_user_keys(AWS_ID))
        run_jobs(app)
        values = {"access_key_id": KEY_ID, "secret_access_key": SECRET}
        assert owner.submit(path(account, "credentials"), values, page=path(account, "credentials")).status_code == 303
        run_jobs(app)
        page = owner.get_page(path(account))
        assert "The new access key did not pass its test; the account goes on as before" in page.text
        assert "AWS does not know this access key" in page.text
        assert SECRET not in page.html
        assert owner.submit(path(account, "credentials/withdraw")).status_code == 303
        assert "did not pass" not in owner.get_page(path(account)).text

    def test_old_keys_are_marked_in_the_list_and_on_the_page(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_keys(app, client1, aws.create_user_keys(AWS_ID))
        run_jobs(app)
        for days, is_marked in ((89, False), (91, True)):
            with app.app_context():
                db.session.get_one(Account, account.id).keys_changed_at = utc_now() - timedelta(days=days)
                db.session.commit()
            page = owner.get_page(path(account))
            assert ("should be replaced every 90 days" in page.text) == is_marked
            assert page.links()["Move to a role"] == path(account, "credentials?method=iam_role")
            assert ("old key" in owner.get_page("/accounts").text) == is_marked

    def test_admins_may_not_see_or_replace_them(
        self, account1: Account, admin: User, superadmin: User, sign_in: SignIn
    ) -> None:
        for client in (sign_in(admin), sign_in(superadmin)):
            assert client.get(path(account1, "credentials")).status_code == 403
            assert client.send(path(account1, "credentials"), {"role_arn": account1.role_arn}).status_code == 403
            assert client.send(path(account1, "role"), {"role_arn": account1.role_arn}).status_code == 403
            assert "Replace credentials" not in client.get_page(path(account1)).text


class TestDisconnecting:
    def test_it_says_what_goes_and_what_stays(self, account1: Account, owner: PageClient) -> None:
        page = owner.get_page(path(account1, "disconnect"))
        assert "Disconnecting Production cannot be undone" in page.text
        assert "stored credentials" in page.text
        assert "In AWS nothing changes: delete the role or the key there yourself." in page.text

    @pytest.mark.parametrize("typed", ["", "production", "Prod", "111111111111"])
    def test_it_asks_for_the_name_exactly(self, app: Flask, account1: Account, owner: PageClient, typed: str) -> None:
        answer = owner.submit(path(account1, "disconnect"), {"confirmation": typed}, page=path(account1, "disconnect"))
        assert answer.status_code == 422
        assert error_of(owner.page, "confirmation")
        assert reload(app, account1).account_name == "Production"

    def test_then_it_is_gone(self, account1: Account, owner: PageClient) -> None:
        answer = owner.submit(
            path(account1, "disconnect"), {"confirmation": " Production "}, page=path(account1, "disconnect")
        )
        assert (answer.status_code, answer.headers["Location"]) == (303, "/accounts")
        page = owner.get_page("/accounts")
        assert "Production is disconnected. Its role or key still exists in AWS" in page.text
        assert names(page) == []
        assert owner.get(path(account1)).status_code == 404

    def test_a_name_of_odd_spaces_can_be_typed_as_it_is_shown(self, app: Flask, owner: PageClient) -> None:
        entry = {"account_name": "Big\u00a0  \t fleet", "account_id": AWS_ID, "partition": "aws"}
        address = owner.submit("/accounts/new", entry, page="/accounts/new").headers["Location"]
        there = f"{address}/disconnect"
        shown = text_of(next(iter(owner.get_page(there).form(there).iter("strong"))))
        assert owner.submit(there, {"confirmation": shown}).status_code == 303

    def test_a_super_admin_may_and_an_admin_may_not(
        self, account1: Account, admin: User, superadmin: User, sign_in: SignIn
    ) -> None:
        there = path(account1, "disconnect")
        assert sign_in(admin).send(there, {"confirmation": "Production"}).status_code == 403
        assert sign_in(superadmin).send(there, {"confirmation": "Production"}).status_code == 303
