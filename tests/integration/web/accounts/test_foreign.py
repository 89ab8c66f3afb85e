"""Somebody else's account: not there, for pages and forms alike."""

import pytest
from flask import Flask

from app.models import Account, User
from demo.aws.cloud import SimulatedAws
from tests.client import PageClient
from tests.conftest import SignIn
from tests.integration.customers import AWS_ID, connected
from tests.integration.web.accounts.pages import (
    MISSING,
    ROLE_ENTRY,
    account_at,
    count_runs,
    facts,
    path,
    without_number,
)
from tests.jobs import reload, run_jobs


class TestSomebodyElsesAccount:
    GETS = ("", "progress", "runs", "runs/4242", "rename", "credentials", "disconnect", "template.yaml")
    POSTS = ("role", "verify", "runs/4242/cancel", "discover", "rename", "credentials", "disconnect")

    @pytest.mark.parametrize("page", GETS)
    def test_it_reads_as_one_that_is_not_there(self, account2: Account, owner: PageClient, page: str) -> None:
        foreign, missing = owner.get(path(account2, page)), owner.get(path(MISSING, page))
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert without_number(foreign.text, account2.id) == without_number(missing.text, MISSING)

    @pytest.mark.parametrize("act", POSTS)
    def test_it_is_acted_on_as_one_that_is_not_there(
        self, app: Flask, account2: Account, owner: PageClient, act: str
    ) -> None:
        values = {"role_arn": account2.role_arn, "account_name": "Mine", "confirmation": "Warehouse"}
        foreign, missing = owner.send(path(account2, act), values), owner.send(path(MISSING, act), values)
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert without_number(foreign.text, account2.id) == without_number(missing.text, MISSING)
        assert reload(app, account2).account_name == "Warehouse"
        assert count_runs(app) == 0

    def test_two_owners_of_one_aws_account_learn_nothing_of_each_other(
        self, app: Flask, aws: SimulatedAws, client1: User, client2: User, owner: PageClient, sign_in: SignIn
    ) -> None:
        first = connected(app, aws, client1)
        run_jobs(app)
        other = sign_in(client2)
        entry = {**ROLE_ENTRY, "account_name": "Mine too"}
        answer = other.submit("/accounts/new", entry, page="/accounts/new")
        assert answer.status_code == 303, "a claim is taken as if nobody had made one before"
        second = account_at(app, answer.headers["Location"])
        pages = [other.get_page(path(second)).html]
        # The second owner can read the same AWS account (keys of it): still nothing of the first one is told.
        keys = aws.create_user_keys(AWS_ID)
        values = {"access_key_id": keys.access_key_id, "secret_access_key": keys.secret_access_key}
        other.submit(path(second, "credentials"), values, page=path(second, "credentials?method=access_keys"))
        run_jobs(app)
        page = other.get_page(path(second))
        assert facts(page)["Status"] == "failed"
        assert "This AWS account cannot be connected here" in page.text
        pages += [page.html, other.get_page("/accounts").html]
        for html in pages:
            assert "client1" not in html
            assert "Production" not in html
            assert first.external_id not in html
            assert str(first.id) not in html
        assert "client2" not in owner.get_page(path(first)).html
        assert facts(owner.page)["Status"] == "active"
