"""The list of accounts, and what refreshes itself while something runs."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.models import Account, User
from app.models.types import AccountHealth, AccountStatus
from demo.aws.cloud import SimulatedAws
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.integration.customers import connected, enter_by_keys
from tests.integration.web.accounts.pages import keys, names, path, seed
from tests.jobs import run_jobs


class TestTheList:
    def test_a_client_sees_own_accounts_only(self, account1: Account, account2: Account, owner: PageClient) -> None:
        page = owner.get_page("/accounts")
        assert names(page) == ["Production"]
        assert "222222222222" not in page.html
        assert "1 account" in page.text

    def test_an_admin_sees_all_and_whose_they_are(
        self, account1: Account, account2: Account, admin: User, sign_in: SignIn
    ) -> None:
        page = sign_in(admin).get_page("/accounts")
        assert names(page) == ["Production", "Warehouse"]
        assert "of client1" in page.text
        assert "of client2" in page.text

    def test_one_s_own_accounts_do_not_say_whose_they_are(self, account1: Account, owner: PageClient) -> None:
        assert "of client1" not in owner.get_page("/accounts").text

    def test_it_leads_on_when_there_is_none(self, owner: PageClient) -> None:
        page = owner.get_page("/accounts")
        assert "No account is connected yet" in page.text
        assert page.links()["Connect an account"] == "/accounts/new"
        assert page.all("input", type="search") == []

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("", ["Alpha", "beta", "Östlich 100%"]),
            ("status=active", ["Alpha"]),
            ("status=failed", ["beta"]),
            ("status=pending", ["Östlich 100%"]),
            ("health=refused", ["beta"]),
            ("status=active&health=refused", []),
            ("q=ALPH", ["Alpha"]),
            ("q=+alpha+", ["Alpha"]),
            ("q=Östlich", ["Östlich 100%"]),
            ("q=%25", ["Östlich 100%"]),
            ("q=_", []),
            ("q=300", ["beta"]),
            ("q=000", []),
            ("status=nonsense&health=", ["Alpha", "beta", "Östlich 100%"]),
            ("endpoint=x&_scheme=ftp&_external=1&_method=POST&_anchor=a", ["Alpha", "beta", "Östlich 100%"]),
            ("q=%00", []),
            ("q=%1b%EF%BF%BE", []),
        ],
    )
    def test_filters_narrow_it(
        self, app: Flask, client1: User, owner: PageClient, query: str, found: list[str]
    ) -> None:
        seed(app, client1, account_name="Alpha", account_id="100000000000", status=AccountStatus.ACTIVE)
        failed = {"status": AccountStatus.FAILED, "health": AccountHealth.REFUSED}
        seed(app, client1, account_name="beta", account_id="300000000000", **failed)
        seed(app, client1, account_name="Östlich 100%", account_id="500000000000")
        assert names(owner.get_page(f"/accounts?{query}")) == found
        assert names(owner.get_page(f"/accounts/table?{query}")) == found

    def test_filters_stay_filled_in_and_can_be_taken_away(self, account1: Account, owner: PageClient) -> None:
        page = owner.get_page("/accounts?status=failed&q=%22%3E%3Cscript%3E")
        assert page.one("input", name="q").get("value") == '"><script>'
        assert [o.get("value") for o in page.all("option", selected="")] == ["failed"]
        assert "No account matches" in page.text
        assert page.links()["Show all accounts"] == "/accounts"

    def test_it_takes_as_many_queries_for_1_account_as_for_30(
        self,
        app: Flask,
        client1: User,
        client2: User,
        admin: User,
        sign_in: SignIn,
        count_queries: Callable[[], Any],
    ) -> None:
        counts = []
        viewer = sign_in(admin)
        for more in (1, 29):
            for number in range(more):
                enter_by_keys(app, client2 if number % 2 else client1, keys(), f"{more:02}{number:010d}")
            with count_queries() as statements:
                page = viewer.get_page("/accounts")
            counts.append((len(names(page)), len(statements)))
        assert [found for found, _ in counts] == [1, 30]
        assert counts[0][1] == counts[1][1]

    def test_it_follows_while_something_runs_and_then_stops(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        connected(app, aws, client1)
        page = owner.get_page("/accounts?status=pending&q=prod")
        part = page.one("div", id="accounts")
        assert part.get("hx-get") == "/accounts/table?status=pending&q=prod"
        assert "queued" in page.text
        run_jobs(app)
        page = owner.get_page("/accounts/table")
        assert page.is_fragment
        part = page.one("div", id="accounts")
        assert (part.get("hx-get"), part.get("hx-trigger")) == (None, None)
        assert "active" in page.text


class TestThePartThatFollows:
    def test_it_is_what_the_page_holds(self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient) -> None:
        account = connected(app, aws, client1)
        page, part = owner.get_page(path(account)), owner.get_page(path(account, "progress"))
        assert part.is_fragment
        assert text_of(part.one("div", id="account")) == text_of(page.one("div", id="account"))
        assert part.one("div", id="account").attrib == page.one("div", id="account").attrib

    def test_the_buttons_come_with_the_last_answer_and_the_asking_ends(
        self, app: Flask, aws: SimulatedAws, client1: User, owner: PageClient
    ) -> None:
        account = connected(app, aws, client1)
        assert owner.get_page(path(account, "progress")).all("div", id="account-actions") == []
        run_jobs(app)
        part = owner.get_page(path(account, "progress"))
        assert "hx-get" not in part.one("div", id="account").attrib
        buttons = part.one("div", id="account-actions")
        assert buttons.get("hx-swap-oob") == "true"
        assert "Discover now" in text_of(buttons)
        page = owner.get_page(path(account))
        assert text_of(page.one("div", id="account-actions")) == text_of(buttons)
        assert "hx-swap-oob" not in page.one("div", id="account-actions").attrib
