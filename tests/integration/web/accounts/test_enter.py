"""Entering an account, by role or by keys."""

import pytest
from flask import Flask

from app.database import db
from app.errors import FaultCode
from app.models import AppIdentity, User
from app.models.types import AccountHealth, AccountStatus
from demo.aws.cloud import SimulatedAws
from tests.client import PageClient
from tests.conftest import SignIn
from tests.integration.customers import AWS_ID, enter_by_keys, enter_by_role
from tests.integration.web.accounts.pages import (
    BAD_IDS,
    BAD_NAMES,
    KEY_ID,
    ROLE_ENTRY,
    SECRET,
    account_at,
    error_of,
    facts,
    keys,
    names,
    path,
)
from tests.jobs import reload, run_jobs


class TestEnteringAnAccountByRole:
    def test_it_leads_to_the_account_s_page(self, app: Flask, owner: PageClient) -> None:
        answer = owner.submit("/accounts/new", ROLE_ENTRY, page="/accounts/new")
        assert answer.status_code == 303
        page = owner.get_page(answer.headers["Location"])
        assert page.heading == "Production"
        assert "pending" in facts(page)["Status"]
        assert owner.get_page("/accounts").links()["Production"] == answer.headers["Location"]

    @pytest.mark.parametrize(("account_id", "words"), BAD_IDS)
    def test_a_bad_account_id_is_said_beside_the_field(self, owner: PageClient, account_id: str, words: str) -> None:
        answer = owner.submit("/accounts/new", {**ROLE_ENTRY, "account_id": account_id}, page="/accounts/new")
        assert answer.status_code == 422
        assert words in error_of(owner.page, "account_id")
        assert owner.page.one("input", name="account_name").get("value") == "Production"
        assert names(owner.get_page("/accounts")) == []

    @pytest.mark.parametrize(("name", "words"), BAD_NAMES)
    def test_a_bad_name_is_said_beside_the_field(self, owner: PageClient, name: str, words: str) -> None:
        answer = owner.submit("/accounts/new", {**ROLE_ENTRY, "account_name": name}, page="/accounts/new")
        assert answer.status_code == 422
        assert words in error_of(owner.page, "account_name")
        assert owner.page.one("input", name="account_id").get("value") == AWS_ID

    def test_an_unknown_part_of_aws_is_refused(self, owner: PageClient) -> None:
        answer = owner.submit("/accounts/new", {**ROLE_ENTRY, "partition": "aws-moon"}, page="/accounts/new")
        assert answer.status_code == 422
        assert "Not a valid choice" in error_of(owner.page, "partition")

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("0123-4567-8901", AWS_ID),
            (f"  {AWS_ID}\n", AWS_ID),
        ],
    )
    def test_an_id_may_be_written_as_the_console_does(self, owner: PageClient, typed: str, kept: str) -> None:
        answer = owner.submit("/accounts/new", {**ROLE_ENTRY, "account_id": typed}, page="/accounts/new")
        assert kept in owner.get_page(answer.headers["Location"]).text

    def test_hostile_names_are_shown_as_they_are(self, owner: PageClient) -> None:
        name = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> {{7*7}}"
        answer = owner.submit("/accounts/new", {**ROLE_ENTRY, "account_name": name}, page="/accounts/new")
        page = owner.get_page(answer.headers["Location"])
        assert page.heading == name
        assert page.all("img") == []
        assert names(owner.get_page("/accounts")) == [name]

    def test_one_owner_enters_an_account_once(self, app: Flask, client1: User, owner: PageClient) -> None:
        enter_by_role(app, client1)
        answer = owner.submit("/accounts/new", ROLE_ENTRY, page="/accounts/new")
        assert answer.status_code == 422
        assert error_of(owner.page, "account_id") == "You have entered this AWS account already."

    def test_nothing_else_can_be_set(self, app: Flask, client1: User, client2: User, owner: PageClient) -> None:
        extra = {
            "status": "active",
            "health": "ok",
            "external_id": "0" * 32,
            "user_id": str(client2.id),
            "verified_account_id": AWS_ID,
            "role_arn": f"arn:aws:iam::{AWS_ID}:role/Admin",
            "id": "7",
            "version": "9",
            "region": "mars-1",
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
        }
        answer = owner.send("/accounts/new", {**ROLE_ENTRY, **extra})
        account = reload(app, account_at(app, answer.headers["Location"]))
        assert account.user_id == client1.id
        assert (account.status, account.health) == (AccountStatus.PENDING, AccountHealth.UNKNOWN)
        assert account.external_id != "0" * 32
        assert (account.verified_account_id, account.role_arn, account.access_key_hint) == (None, None, "")
        assert (account.region, account.version) == ("us-east-1", 1)

    def test_it_says_when_this_installation_is_unknown_to_aws(self, app: Flask, owner: PageClient) -> None:
        with app.app_context():
            row = db.session.get_one(AppIdentity, 1)
            row.account_id, row.arn, row.error_code = "", "", FaultCode.NO_APP_IDENTITY
            db.session.commit()
        assert "no AWS identity of its own" in owner.get_page("/accounts/new").text
        answer = owner.submit("/accounts/new", ROLE_ENTRY, page="/accounts/new")
        address = answer.headers["Location"]
        page = owner.get_page(address)
        assert "A role cannot be made yet" in page.text
        assert page.links()["Use access keys"] == f"{address}/credentials?method=access_keys"
        assert owner.get(f"{address}/template.yaml").status_code == 409


class TestEnteringAnAccountByKeys:
    ENTRY = {
        "account_name": "By keys",
        "account_id": AWS_ID,
        "partition": "aws",
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
    }
    PAGE = "/accounts/new?method=access_keys"

    def test_it_connects(self, app: Flask, aws: SimulatedAws, owner: PageClient) -> None:
        keys = aws.create_user_keys(AWS_ID)
        entry = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        answer = owner.submit("/accounts/new", {**self.ENTRY, **entry}, page=self.PAGE)
        assert answer.status_code == 303
        run_jobs(app)
        page = owner.get_page(answer.headers["Location"])
        assert facts(page)["Status"] == "active"
        assert f"…{keys.access_key_id[-4:]}" in facts(page)["Access key"]
        assert keys.access_key_id not in page.html
        assert keys.secret_access_key not in page.html

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("access_key_id", "", "begins with AKIA"),
            ("access_key_id", "ASIAIOSFODNN7EXAMPLE", "temporary and expire within hours"),
            ("access_key_id", "AIDAIOSFODNN7EXAMPLE", "id of a user"),
            ("access_key_id", "AKIA", "begins with AKIA"),
            ("access_key_id", "akiaiosfodnn7example", "begins with AKIA"),
            ("access_key_id", SECRET, "begins with AKIA"),
            ("secret_access_key", "", "exactly 40 characters"),
            ("secret_access_key", SECRET[:-1], "exactly 40 characters"),
            ("secret_access_key", KEY_ID, "This is the access key id"),
            ("account_id", "1", "exactly 12 digits"),
        ],
    )
    def test_what_is_wrong_is_said_beside_the_field_and_the_secret_never_comes_back(
        self, owner: PageClient, field: str, value: str, words: str
    ) -> None:
        answer = owner.submit("/accounts/new", {**self.ENTRY, field: value}, page=self.PAGE)
        assert answer.status_code == 422
        assert words in error_of(owner.page, field)
        assert SECRET not in answer.text
        assert SECRET[:-1] not in answer.text
        assert owner.page.one("input", name="secret_access_key").get("value", "") == ""

    def test_a_root_user_s_keys_are_refused_with_the_reason(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        keys = aws.create_root_keys(AWS_ID)
        account = enter_by_keys(app, client1, keys)
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "failed"
        assert "Keys of the root user are refused" in page.text
        assert page.links()["Replace credentials"] == path(account, "credentials")
        assert keys.secret_access_key not in page.html

    def test_no_page_has_the_secret(
        self, app: Flask, client1: User, owner: PageClient, admin: User, sign_in: SignIn
    ) -> None:
        account = enter_by_keys(app, client1, keys())
        run_jobs(app)
        for client in (owner, sign_in(admin)):
            for page in ("", "progress", "rename", "credentials", "credentials?method=access_keys", "disconnect"):
                answer = client.get(path(account, page))
                assert answer.status_code in {200, 403}
                assert SECRET not in answer.text
                assert KEY_ID not in answer.text
        logs = sign_in(admin).get_page("/system-logs")
        assert SECRET not in logs.html
        assert KEY_ID not in logs.html
