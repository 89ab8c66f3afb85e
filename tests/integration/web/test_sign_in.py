"""Signing in and out, as browsers do it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import SignInAttempt, SystemLog, User, UserSession
from app.services.passwords import HASHER
from tests.client import PageClient
from tests.conftest import SignIn, browser
from tests.factories import PASSWORD


def sign_in_by_form(client: PageClient, name: str, password: str = PASSWORD, **kwargs: object):
    return client.send("/sign-in", {"username": name, "password": password}, **kwargs)


class TestTwoBrowsers:
    def test_the_second_is_not_taken_for_the_first(self, app: Flask, client1: User, sign_in: SignIn) -> None:
        first, second = sign_in(client1), browser(app)
        assert first.get("/me").status_code == 200
        assert second.get("/me").status_code == 302
        assert first.get("/me").status_code == 200


class TestSigningIn:
    def test_it_leads_to_the_page_that_was_asked_for(self, client: PageClient, client1: User) -> None:
        asked = client.get("/me?x=1")
        assert asked.headers["Location"] == "/sign-in?next=/me?x%3D1"
        client.get_page(asked.headers["Location"])
        response = client.submit("/sign-in", {"username": "client1", "password": PASSWORD})
        assert (response.status_code, response.headers["Location"]) == (303, "/me?x=1")
        assert client.get_page("/me").heading == "Your page"

    @pytest.mark.parametrize("name", ["client1", " CLIENT1 ", "Client1@Example.com", "ｃｌｉｅｎｔ１"])  # noqa: RUF001
    def test_names_and_addresses_work_in_any_case(self, client: PageClient, client1: User, name: str) -> None:
        assert sign_in_by_form(client, name).status_code == 303

    @pytest.mark.parametrize("password", [PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], "x" * 100_000, "a\0b"])
    def test_nearly_the_password_is_wrong(self, client: PageClient, client1: User, password: str) -> None:
        assert sign_in_by_form(client, "client1", password).status_code == 422
        assert client.get("/me").status_code == 302

    def test_every_refusal_says_the_same(self, app: Flask, client: PageClient, client1: User, client2: User) -> None:
        with app.app_context():
            db.session.get_one(User, client2.id).is_enabled = False
            db.session.commit()
        answers = set()
        for name, password in (("client1", "wrong"), ("nobody", "wrong"), ("client2", PASSWORD)):
            response = sign_in_by_form(client, name, password)
            answers.add((response.status_code, client.page.text))
        assert len(answers) == 1

    def test_a_session_from_before_is_not_taken_over(self, client: PageClient, client1: User) -> None:
        client.get_page("/sign-in")
        with client.session_transaction() as cookie:
            cookie["planted"] = "yes"
        before = client.cookie_session()
        sign_in_by_form(client, "client1")
        after = client.cookie_session()
        assert "planted" not in after
        assert after["token"]
        assert after.get("csrf_token") != before["csrf_token"]

    def test_the_token_is_stored_as_a_hash_only(self, app: Flask, client: PageClient, client1: User) -> None:
        sign_in_by_form(client, "client1")
        token = client.cookie_session()["token"]
        with app.app_context():
            stored = db.session.scalars(sa.select(UserSession.token_hash)).one()
        assert token not in stored
        assert len(stored) == 64

    def test_a_hash_of_weaker_parameters_is_renewed(self, app: Flask, client: PageClient, client1: User) -> None:
        weak = type(HASHER)(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        with app.app_context():
            db.session.get_one(User, client1.id).password_hash = weak
            db.session.commit()
        assert sign_in_by_form(client, "client1").status_code == 303
        with app.app_context():
            assert "m=19456,t=2,p=1" in db.session.get_one(User, client1.id).password_hash

    def test_an_initial_password_that_ran_out_is_refused(self, app: Flask, client: PageClient, client1: User) -> None:
        with app.app_context():
            db.session.get_one(User, client1.id).password_expires_at = datetime.now(UTC) - timedelta(seconds=1)
            db.session.commit()
        assert sign_in_by_form(client, "client1").status_code == 422

    def test_it_is_audited_either_way_without_the_typed_name(
        self, app: Flask, client: PageClient, client1: User
    ) -> None:
        sign_in_by_form(client, "my secret typed as a name", "wrong")
        sign_in_by_form(client, "client1")
        with app.app_context():
            rows = db.session.scalars(sa.select(SystemLog).where(SystemLog.component == "audit").order_by(SystemLog.id))
            found = [(row.message, row.user_id, str(row.details)) for row in rows]
        assert [row[:2] for row in found] == [("Sign-in failed", None), ("Signed in", client1.id)]
        assert "secret" not in found[0][2]

    def test_the_session_before_ends(self, app: Flask, client1: User, client2: User, sign_in: SignIn) -> None:
        client, thief = sign_in(client1), browser(app)
        with thief.session_transaction() as cookie:
            cookie.update(client.cookie_session())
        assert sign_in_by_form(client, "client2").status_code == 303
        assert client.get_page("/me").one("title") is not None
        assert "client2@example.com" in client.page.text
        assert thief.get("/me").status_code == 302


class TestSigningOut:
    def test_the_old_cookie_is_dead_at_the_server(self, app: Flask, client1: User, sign_in: SignIn) -> None:
        client = sign_in(client1)
        thief = browser(app)
        with thief.session_transaction() as cookie:
            cookie.update(client.cookie_session())
        assert thief.get("/me").status_code == 200
        client.get_page("/me")
        assert client.submit("/sign-out").headers["Location"] == "/sign-in"
        assert client.get("/me").status_code == 302
        assert thief.get("/me").status_code == 302


class TestLimits:
    def test_a_name_is_refused_after_ten_tries_even_with_the_right_password(
        self, client: PageClient, client1: User
    ) -> None:
        assert [sign_in_by_form(client, "client1", "wrong").status_code for _ in range(11)] == [422] * 10 + [429]
        response = sign_in_by_form(client, "client1")
        assert response.status_code == 429
        assert 0 < int(response.headers["Retry-After"]) <= 301

    @pytest.mark.parametrize("headers", [{"X-Forwarded-For": "203.0.113.9"}, {"X-Real-IP": "203.0.113.9"}])
    def test_neither_headers_nor_spelling_get_round_it(
        self, client: PageClient, client1: User, headers: dict[str, str]
    ) -> None:
        spellings = ["client1", " client1", "CLIENT1", "Client1 ", "cLIENT1"] * 3
        codes = [sign_in_by_form(client, name, "wrong", headers=headers).status_code for name in spellings]
        assert codes.count(422) == 10

    def test_another_address_still_gets_in(self, client: PageClient, client1: User) -> None:
        for _ in range(12):
            sign_in_by_form(client, "client1", "wrong")
        elsewhere = {"REMOTE_ADDR": "198.51.100.7"}
        assert sign_in_by_form(client, "client1", environ_overrides=elsewhere).status_code == 303

    def test_many_names_from_one_address_are_refused_after_fifty(self, client: PageClient, client1: User) -> None:
        codes = [sign_in_by_form(client, f"name{n}", "wrong").status_code for n in range(52)]
        assert codes == [422] * 50 + [429] * 2

    def test_addresses_of_one_ipv6_network_count_as_one(self, client: PageClient, client1: User) -> None:
        codes = [
            sign_in_by_form(
                client, "client1", "wrong", environ_overrides={"REMOTE_ADDR": f"2001:db8:1:2::{n:x}"}
            ).status_code
            for n in range(1, 13)
        ]
        assert codes == [422] * 10 + [429] * 2

    def test_signing_in_clears_the_names_count_but_not_the_spray(
        self, app: Flask, client: PageClient, client1: User
    ) -> None:
        for _ in range(9):
            sign_in_by_form(client, "client1", "wrong")
        assert sign_in_by_form(client, "client1").status_code == 303
        with app.app_context():
            assert db.session.scalars(sa.select(SignInAttempt.attempts)).all() == [9]

    def test_the_window_ends(self, app: Flask, client: PageClient, client1: User) -> None:
        for _ in range(11):
            sign_in_by_form(client, "client1", "wrong")
        with app.app_context():
            db.session.execute(
                sa.update(SignInAttempt).values(window_started_at=datetime.now(UTC) - timedelta(minutes=5, seconds=1))
            )
            db.session.commit()
        assert sign_in_by_form(client, "client1").status_code == 303

    def test_twenty_at_once_are_all_counted(self, app: Flask, client1: User) -> None:
        def attempt(_: int) -> int:
            return sign_in_by_form(browser(app), "client1", "wrong").status_code

        with ThreadPoolExecutor(20) as pool:
            codes = list(pool.map(attempt, range(20)))
        assert codes.count(422) == 10
        assert codes.count(429) == 10


STRANGE = [
    "https://evil.example/",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\n/evil.example",
    "https:///evil.example",
    "/%0d%0aSet-Cookie:x=1\r\n",
    "//evil.example@localhost/",
    "evil.example",
    "/\x00/evil.example",
    "/\u2028/evil.example",
]


class TestNext:
    def test_there_are_eighteen_payloads(self) -> None:
        assert len(set(STRANGE)) == 18

    @pytest.mark.parametrize("target", STRANGE)
    def test_it_stays_on_this_host(self, client: PageClient, client1: User, target: str) -> None:
        response = client.send("/sign-in", {"username": "client1", "password": PASSWORD, "next": target})
        assert (response.status_code, response.headers["Location"]) == (303, "/")

    @pytest.mark.parametrize("target", STRANGE)
    def test_nor_does_the_page_repeat_it(self, client: PageClient, target: str) -> None:
        client.get("/sign-in", query_string={"next": target})
        assert "evil" not in client.page.html
