"""The page of what has changed."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db, new_id
from app.models import Account, InstanceChange, User
from app.models.mixins import utc_now
from app.models.types import ChangeKind
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.factories import make_instance


def tell(app: Flask, account: Account, count: int = 1, field: str = "instance_type") -> None:
    """Just now, each of another instance."""
    with app.app_context():
        for _ in range(count):
            instance = make_instance(db.session.get_one(Account, account.id), name="web")
            about = {"account_id": account.id, "instance_pk": instance.id, "kind": ChangeKind.CHANGED}
            told = {"field": field, "before": "m5.large", "after": "m5.xlarge", "seen_at": utc_now()}
            db.session.add(InstanceChange(**about, **told, id=new_id()))
        db.session.commit()


def badge(browser: PageClient) -> str:
    """The link in the navigation, with its count."""
    return next(
        text_of(link) for link in browser.page.one("nav", aria_label="Main").iter("a") if "Changes" in text_of(link)
    )


class TestThePage:
    def test_it_begins_where_the_viewer_left_off(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        tell(app, account1)
        browser = sign_in(client1)
        assert "The last 7 days" in browser.get_page("/changes").text
        assert "m5.xlarge" in browser.page.text
        assert badge(browser) == "Changes"
        assert browser.submit("/changes/seen").status_code == 303
        assert "Nothing has changed" in browser.get_page("/changes").text
        tell(app, account1, 2)
        assert "2 changes since" in browser.get_page("/changes").text
        assert badge(browser) == "Changes 2"
        assert "m5.xlarge" in browser.get_page("/changes?period=day").text

    def test_what_came_after_the_page_was_made_stays_new(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        tell(app, account1)
        browser = sign_in(client1)
        browser.get_page("/changes")
        tell(app, account1)
        browser.submit("/changes/seen")
        assert "1 change since" in browser.get_page("/changes").text

    @pytest.mark.parametrize("until", ["", "tomorrow", "9999-12-31T23:59:59+00:00", "0001-01-01T00:00:00+14:00"])
    def test_a_made_up_mark_is_now(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, until: str
    ) -> None:
        sign_in(client1).send("/changes/seen", {"until": until})
        with app.app_context():
            marked = db.session.get_one(User, client1.id).changes_seen_at
        assert marked is not None
        assert abs(marked - utc_now()) < timedelta(minutes=1)

    def test_it_is_grouped_by_account_and_kind_and_leads_to_each(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        tell(app, account1, 2)
        tell(app, account1, 1, field="name")
        browser = sign_in(client1)
        links = browser.get_page("/changes").links()
        assert links["1 retagged or renamed"] == f"/changes?account={account1.id}&kind=tags"
        page = browser.get_page(links["1 retagged or renamed"])
        assert "Kind: retagged or renamed" in page.text
        assert "Name" in text_of(page.all("tbody")[-1])
        assert "Type" not in text_of(page.all("tbody")[-1])

    def test_nobody_sees_somebody_else_s(
        self, app: Flask, sign_in: SignIn, client2: User, account1: Account, account2: Account
    ) -> None:
        tell(app, account1)
        page = sign_in(client2).get_page(f"/changes?account={account1.id}")
        assert "m5.xlarge" not in page.text
        assert "Production" not in page.text

    def test_the_mark_is_one_s_own(
        self, app: Flask, sign_in: SignIn, client1: User, admin: User, account1: Account
    ) -> None:
        tell(app, account1)
        sign_in(client1).send("/changes/seen")
        assert "m5.xlarge" in sign_in(admin).get_page("/changes").text

    def test_who_has_no_account_is_led_to_the_first(self, sign_in: SignIn, client3: User) -> None:
        assert "No account is connected yet" in sign_in(client3).get_page("/changes").text

    @pytest.mark.parametrize(
        ("asked", "words"),
        [("", "Choose a date."), ("soon", "Write a date"), ("2001-01-01", "History is kept for 400")],
    )
    def test_a_date_that_cannot_be_is_said_beside_its_field(
        self, sign_in: SignIn, client1: User, account1: Account, asked: str, words: str
    ) -> None:
        page = sign_in(client1).get_page(f"/changes?period=date&since={asked}")
        assert words in text_of(page.one("p", id="moment-since-error"))

    @pytest.mark.parametrize("name", ["period", "since", "account", "kind", "field", "cursor"])
    @pytest.mark.parametrize("value", ["%00", "' OR 1=1 --", "<script>", "9" * 400, "💥", "-1"])
    def test_nonsense_in_the_address_is_no_exception(
        self, sign_in: SignIn, client1: User, account1: Account, name: str, value: str
    ) -> None:
        answer = sign_in(client1).get("/changes", query_string={"period": "date", name: value})
        assert answer.status_code in {200, 400}

    def test_it_asks_the_database_as_often_whatever_there_is(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, count_queries: Callable[[], Any]
    ) -> None:
        browser = sign_in(client1)
        counts = []
        for count in (1, 29):
            tell(app, account1, count)
            with count_queries() as statements:
                browser.get_page("/changes")
            counts.append(len(statements))
        assert counts[0] == counts[1]
