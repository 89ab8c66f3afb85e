"""`flask users`, as typed."""

import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import User
from app.models.types import Role
from tests.conftest import SignIn, browser


def run(app: Flask, *words: str, typed: str | None = None) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["users", *words], input=typed)
    return result.exit_code, result.output


class TestTheFirstSuperAdmin:
    def test_it_is_made_with_a_password_that_is_printed_once(self, app: Flask) -> None:
        code, output = run(app, "create", "Boss", "boss@example.com", "--role", "super_admin")
        assert code == 0, output
        password = re.search(r"shown once: (\S+)", output)
        assert password
        client = browser(app)
        assert client.send("/sign-in", {"username": "boss", "password": password[1]}).status_code == 303
        assert client.get("/users").headers["Location"] == "/me/password"

    def test_or_with_one_that_is_typed(self, app: Flask) -> None:
        typed = "violet umbrella seven lakes\n" * 2
        code, output = run(app, "create", "boss", "boss@example.com", "--ask-password", typed=typed)
        assert code == 0, output
        assert "violet" not in output
        client = browser(app)
        response = client.send("/sign-in", {"username": "boss", "password": "violet umbrella seven lakes"})
        assert response.status_code == 303
        assert client.get("/me").status_code == 200

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (("client1", "new@example.com"), "This username is taken."),
            (("new", "client1@example.com"), "This e-mail address is taken."),
            (("a b", "new@example.com"), "Use 2 to 64 letters"),
            (("new", "nowhere"), "not an e-mail address"),
        ],
    )
    def test_what_cannot_be_is_one_line(self, app: Flask, client1: User, words: tuple[str, str], message: str) -> None:
        code, output = run(app, "create", *words)
        assert code == 1
        assert message in output
        assert len(output.strip().splitlines()) == 1

    def test_a_weak_typed_password_is_refused(self, app: Flask) -> None:
        code, output = run(app, "create", "boss", "boss@example.com", "--ask-password", typed="password1\npassword1\n")
        assert code == 1
        assert "too easy to guess" in output


class TestLookingAfterPeople:
    def test_it_lists_them(self, app: Flask, client1: User, superadmin: User) -> None:
        assert run(app, "list") == (
            0,
            "client1\tclient1@example.com\tclient\tenabled\nsuperadmin\tsuperadmin@example.com\tsuper_admin\tenabled\n",
        )

    def test_disabling_ends_the_sessions_and_enabling_lets_in_again(
        self, app: Flask, client1: User, sign_in: SignIn
    ) -> None:
        client = sign_in(client1)
        assert run(app, "disable", "client1")[0] == 0
        assert client.get("/me").status_code == 302
        assert run(app, "enable", "client1")[0] == 0
        assert sign_in(client1).get("/me").status_code == 200

    def test_the_last_super_admin_stays(self, app: Flask, superadmin: User) -> None:
        code, output = run(app, "disable", "superadmin")
        assert code == 1
        assert "last super admin" in output
        with app.app_context():
            assert db.session.scalars(sa.select(User.is_enabled).where(User.role == Role.SUPER_ADMIN)).all() == [True]

    def test_a_password_is_reset(self, app: Flask, superadmin: User) -> None:
        code, output = run(app, "reset-password", "superadmin")
        assert code == 0
        password = output.rsplit(" ", 1)[1].strip()
        assert browser(app).send("/sign-in", {"username": "superadmin", "password": password}).status_code == 303

    def test_an_unknown_name_is_one_line(self, app: Flask) -> None:
        assert run(app, "reset-password", "nobody") == (1, "Error: There is no user 'nobody'\n")
