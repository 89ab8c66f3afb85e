"""The page of the list as it stood at a moment."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db, first_id_at
from app.models import Account, InstanceChange, User
from app.models.mixins import utc_now
from app.models.types import ChangeKind
from tests.client import text_of
from tests.conftest import SignIn
from tests.factories import make_instance

THEN = (utc_now() - timedelta(days=3)).replace(microsecond=0)
ADDRESS = f"/instances/as-of?at={THEN:%Y-%m-%dT%H:%M:%SZ}"


def seed(app: Flask, account: Account, **values: Any) -> int:
    """Stopped now, and running until a day ago."""
    with app.app_context():
        row = db.session.get_one(Account, account.id)
        row.baseline_at = THEN - timedelta(days=9)
        values = {"state": "stopped", "first_seen_at": THEN - timedelta(days=9), **values}
        instance = make_instance(row, **values)
        seen_at = utc_now() - timedelta(days=1)
        about = {"account_id": account.id, "instance_pk": instance.id, "kind": ChangeKind.CHANGED, "seen_at": seen_at}
        db.session.add(
            InstanceChange(**about, id=first_id_at(seen_at), field="state", before="running", after="stopped")
        )
        db.session.commit()
        return instance.id


class TestThePage:
    def test_it_shows_what_was_and_links_to_what_has_changed(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        instance_pk = seed(app, account1, name="mine")
        page = sign_in(client1).get_page(f"{ADDRESS}&state=running")
        (row,) = page.one("tbody")
        assert "mine" in text_of(row)
        assert "running" in text_of(row)
        assert any(url.startswith(f"/instances/{instance_pk}/compare?from=") for url in page.links().values())
        assert page.links()["Back to now"] == "/instances?state=running"
        assert f"Instances as of {THEN:%Y-%m-%d %H:%M:%S} UTC" in page.heading

    def test_a_filter_asks_what_was_then(self, app: Flask, sign_in: SignIn, client1: User, account1: Account) -> None:
        seed(app, account1)
        assert "No instance fitted these filters then" in sign_in(client1).get_page(f"{ADDRESS}&state=stopped").text

    def test_somebody_else_s_are_not_there(
        self, app: Flask, sign_in: SignIn, client2: User, account1: Account, account2: Account
    ) -> None:
        seed(app, account1, name="theirs")
        page = sign_in(client2).get_page(f"{ADDRESS}&account={account1.id}")
        assert "theirs" not in page.text

    def test_before_the_first_discovery_it_says_so(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        seed(app, account1)
        long_ago = THEN - timedelta(days=20)
        text = sign_in(client1).get_page(f"/instances/as-of?at={long_ago:%Y-%m-%dT%H:%M}").text
        assert "1 account had not been read completely by then" in text
        assert "No instance was known at that moment" in text

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ("soon", "Write a date and a time"),
            ("2001-01-01", "History is kept for 400 days"),
            ("2999-01-01", "yet to come"),
            ("", "Choose a moment"),
        ],
    )
    def test_a_moment_that_cannot_be_is_said_beside_its_field(
        self, sign_in: SignIn, client1: User, account1: Account, asked: str, words: str
    ) -> None:
        assert words in sign_in(client1).get_page(f"/instances/as-of?at={asked}").text

    @pytest.mark.parametrize("name", ["at", "account", "region", "state", "lifecycle", "type", "cursor"])
    @pytest.mark.parametrize("value", ["%00", "'; DROP TABLE instances; --", "<script>", "9" * 400, "💥", "[]"])
    def test_nonsense_in_the_address_is_no_exception(
        self, sign_in: SignIn, client1: User, account1: Account, name: str, value: str
    ) -> None:
        answer = sign_in(client1).get("/instances/as-of", query_string={"at": f"{THEN:%Y-%m-%d}", name: value})
        assert answer.status_code == (400 if name == "cursor" and value != "%00" else answer.status_code)
        assert answer.status_code in {200, 400}
