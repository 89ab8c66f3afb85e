"""Sessions as rows: they end at the server, and at once."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import User, UserSession
from tests.client import PageClient
from tests.conftest import SignIn
from tests.factories import PASSWORD

NEW = "violet umbrella seven lakes"


def change(app: Flask, **values: object) -> None:
    with app.app_context():
        db.session.execute(sa.update(UserSession).values(**values))
        db.session.commit()


def ago(**length: float) -> datetime:
    return datetime.now(UTC) - timedelta(**length)


class TestTheCookie:
    def test_it_is_kept_from_scripts_and_other_sites(self, client: PageClient, client1: User) -> None:
        response = client.send("/sign-in", {"username": "client1", "password": PASSWORD})
        cookie = response.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert len(cookie) < 4096

    @pytest.mark.parametrize("token", ["", "guess", None, 7])
    def test_a_guessed_token_is_nobody(self, app: Flask, client1: User, sign_in: SignIn, token: object) -> None:
        client = sign_in(client1)
        with client.session_transaction() as cookie:
            cookie["token"] = token
        assert client.get("/me").status_code == 302

    def test_a_token_of_another_user_is_nobody(self, client1: User, superadmin: User, sign_in: SignIn) -> None:
        client = sign_in(client1)
        with client.session_transaction() as cookie:
            cookie["_user_id"] = str(superadmin.id)
        assert client.get("/users").status_code == 302


class TestItsEnd:
    @pytest.mark.parametrize("column", ["expires_at", "last_seen_at", "revoked_at"])
    def test_it_ends_by_age_by_idleness_and_by_revoking(
        self, app: Flask, client1: User, sign_in: SignIn, column: str
    ) -> None:
        client = sign_in(client1)
        assert client.get("/me").status_code == 200
        change(app, **{column: ago(minutes=61)})
        assert client.get("/me").status_code == 302

    def test_disabling_the_user_ends_it(self, app: Flask, client1: User, sign_in: SignIn) -> None:
        client = sign_in(client1)
        with app.app_context():
            db.session.get_one(User, client1.id).is_enabled = False
            db.session.commit()
        assert client.get("/me").status_code == 302

    def test_changing_the_password_ends_all_and_begins_a_new_one(self, client1: User, sign_in: SignIn) -> None:
        here, there = sign_in(client1), sign_in(client1)
        before = here.cookie_session()["token"]
        response = here.submit(
            "/me/password", {"current": PASSWORD, "password": NEW, "repeated": NEW}, page="/me/password"
        )
        assert response.status_code == 303
        assert here.cookie_session()["token"] != before
        assert here.get("/me").status_code == 200
        assert there.get("/me").status_code == 302


class TestItsUse:
    def test_it_is_noted_at_most_once_a_minute(self, app: Flask, client1: User, sign_in: SignIn) -> None:
        client = sign_in(client1)

        def last_seen() -> datetime:
            with app.app_context():
                return db.session.scalars(sa.select(UserSession.last_seen_at)).one()

        fresh = last_seen()
        client.get("/me")
        assert last_seen() == fresh
        change(app, last_seen_at=ago(seconds=61))
        client.get("/me")
        assert last_seen() >= fresh


class TestOnesOwnList:
    def test_another_browser_can_be_signed_out(self, app: Flask, client1: User, sign_in: SignIn) -> None:
        here, there = sign_in(client1), sign_in(client1)
        page = here.get_page("/me")
        forms = [f.get("action") for f in page.all("form") if "/revoke" in f.get("action", "")]
        assert forms[0] is not None
        assert len(forms) == 2  # the other browser, and all others
        assert here.submit(forms[0]).status_code == 303
        assert here.get("/me").status_code == 200
        assert there.get("/me").status_code == 302

    def test_all_others_can_be_signed_out(self, client1: User, sign_in: SignIn) -> None:
        here, others = sign_in(client1), [sign_in(client1), sign_in(client1)]
        here.submit("/me/sessions/revoke-others", page="/me")
        assert here.get("/me").status_code == 200
        assert [other.get("/me").status_code for other in others] == [302, 302]

    def test_somebody_elses_session_is_not_there(
        self, app: Flask, client1: User, client2: User, sign_in: SignIn
    ) -> None:
        other = sign_in(client2)
        with app.app_context():
            session_id = db.session.scalars(sa.select(UserSession.id)).one()
        assert sign_in(client1).send(f"/me/sessions/{session_id}/revoke").status_code == 404
        assert other.get("/me").status_code == 200


class TestTheFrame:
    def test_a_page_asks_once_who_is_looking(self, client1: User, sign_in: SignIn, count_queries) -> None:
        client = sign_in(client1)
        client.get("/me/password")
        with count_queries() as statements:
            client.get("/me/password")
        assert len(statements) == 1, statements

    def test_the_theme_is_kept_in_this_browser(self, client: PageClient, client1: User, sign_in: SignIn) -> None:
        client = sign_in(client1)
        assert client.get_page("/me").one("html").get("data-theme") == "auto"
        client.submit("/theme", {}, page="/me")
        response = client.send("/theme", {"theme": "dark", "next": "/me"})
        assert response.headers["Location"] == "/me"
        assert client.get_page("/me").one("html").get("data-theme") == "dark"
        client.send("/theme", {"theme": '"><script>', "next": "//evil.example"})
        assert client.get_page("/me").one("html").get("data-theme") == "dark"
