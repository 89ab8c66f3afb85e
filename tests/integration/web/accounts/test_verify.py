"""What the pages say after a verification, and asking for another."""

import json

import pytest
from flask import Flask

from app.database import db
from app.models import Account, Run, User
from app.services.accounts import verify
from demo.aws.cloud import SimulatedAws
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.integration.customers import AWS_ID, enter_by_role, make_role, name_role
from tests.integration.web.accounts.pages import (
    count_runs,
    facts,
    path,
)
from tests.jobs import run_jobs


class TestAFailedVerification:
    def test_the_page_says_what_to_do_and_shows_the_policy(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient, admin: User, sign_in: SignIn
    ) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, make_role(aws, account, external_id=""))
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "failed"
        assert facts(page)["Health"] == "refused"
        assert "The role does not insist on its External ID" in page.text
        policy = json.loads(text_of(page.one("pre", id="remedy-trust-policy")))
        assert policy["Statement"][0]["Condition"]["StringEquals"]["sts:ExternalId"] == account.external_id
        assert page.links()["Download the CloudFormation template"] == path(account, "template.yaml")

        theirs = sign_in(admin).get_page(path(account))
        assert "The role does not insist on its External ID" in theirs.text
        assert theirs.all("pre") == []

    def test_it_heals_when_the_role_is_mended(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, make_role(aws, account, external_id=""))
        run_jobs(app)
        make_role(aws, account)
        assert owner.submit(path(account, "verify"), page=path(account)).status_code == 303
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "active"
        assert page.all("div", class_="danger") == []

    def test_a_role_that_is_not_there_is_called_what_aws_calls_it(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verify, "NEW_ROLE_PATIENCE", verify.NEW_ROLE_PATIENCE * 0)
        account = enter_by_role(app, client1)
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        run_jobs(app)
        page = owner.get_page(path(account))
        assert "AWS did not let us assume the role" in page.text
        assert "is not authorized to perform: sts:AssumeRole" in page.text

    def test_a_new_role_is_waited_for_in_words(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = enter_by_role(app, client1)
        name_role(app, account, f"arn:aws:iam::{AWS_ID}:role/SpotkeeperReadOnly")
        run_jobs(app)
        page = owner.get_page(path(account))
        assert facts(page)["Status"] == "pending"
        assert "Waiting for AWS to know the role" in page.text
        assert "that is so for up to about a minute" in page.text
        assert page.one("div", id="account").get("hx-trigger") == "every 2s, refresh"


class TestVerifyingAndDiscoveringAgain:
    @pytest.mark.parametrize("act", ["verify", "discover"])
    def test_the_owner_and_an_admin_may(
        self, app: Flask, account1: Account, owner: PageClient, admin: User, sign_in: SignIn, act: str
    ) -> None:
        for client in (owner, sign_in(admin)):
            answer = client.submit(path(account1, act), page=path(account1))
            assert (answer.status_code, answer.headers["Location"]) == (303, path(account1))
            with app.app_context():
                run = db.session.query(Run).one()
                assert run.account_id == account1.id
                db.session.delete(run)
                db.session.commit()

    def test_the_buttons_wait_while_something_runs(self, account1: Account, owner: PageClient) -> None:
        owner.submit(path(account1, "discover"), page=path(account1))
        page = owner.get_page(path(account1))
        assert ["disabled" in page.form(path(account1, a)).find("button").attrib for a in ("verify", "discover")] == [
            True,
            True,
        ]

    def test_pressing_twice_queues_once(self, app: Flask, account1: Account, owner: PageClient) -> None:
        for _ in range(5):
            assert owner.send(path(account1, "discover")).status_code == 303
        assert count_runs(app) == 1

    def test_an_account_without_proof_is_not_discovered(self, app: Flask, client1: User, owner: PageClient) -> None:
        account = enter_by_role(app, client1)
        page = owner.get_page(path(account))
        assert not [form for form in page.all("form") if form.get("action") == path(account, "discover")]
        assert owner.send(path(account, "discover")).status_code == 409
        assert "Verify it first" in owner.page.text
        assert count_runs(app) == 0
