"""Super admins and the people they look after."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import ForbiddenError
from app.models import SystemLog, User, UserSession
from app.models.types import Role
from app.services import users
from tests.client import PageClient, text_of
from tests.conftest import SignIn, browser
from tests.factories import PASSWORD, make_user

NEW = "violet umbrella seven lakes"


def stored(app: Flask, user: User) -> User:
    with app.app_context():
        return db.session.get_one(User, user.id)


def add_user(client: PageClient, username: str = "dora", role: str = "client") -> str:
    """Adds a user by the form and returns the password that the page shows."""
    client.submit("/users", {"username": username, "email": f"{username}@example.com", "role": role}, page="/users/new")
    return text_of(client.page.one("pre"))


class TestAddingAUser:
    def test_the_password_is_shown_once_and_has_to_be_changed(
        self, app: Flask, superadmin: User, sign_in: SignIn
    ) -> None:
        password = add_user(sign_in(superadmin), "Dora")
        dora = browser(app)
        assert dora.send("/sign-in", {"username": "dora", "password": password}).status_code == 303
        assert dora.get("/me").headers["Location"] == "/me/password"
        page = dora.get_page("/me/password")
        assert "Somebody else made your password" in page.text
        assert dora.submit("/me/password", {"current": password, "password": NEW, "repeated": NEW}).status_code == 303
        assert dora.get("/me").status_code == 200

    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"username": "CLIENT1"}, "This username is taken."),
            ({"email": "Client1@Example.com"}, "This e-mail address is taken."),
            ({"username": "a"}, "Use 2 to 64 letters"),
            ({"username": "a b"}, "Use 2 to 64 letters"),
            ({"username": "аdmin"}, "Use 2 to 64 letters"),  # noqa: RUF001
            ({"email": "not an address"}, "This is not an e-mail address."),
            ({"username": ""}, "Enter a username."),
            ({"role": "owner"}, "Not a valid choice."),
        ],
    )
    def test_what_cannot_be_is_said_beside_the_field(
        self, client1: User, superadmin: User, sign_in: SignIn, values: dict[str, str], words: str
    ) -> None:
        client = sign_in(superadmin)
        filled = {"username": "dora", "email": "dora@example.com", "role": "client", **values}
        assert client.submit("/users", filled, page="/users/new").status_code == 422
        assert words in client.page.text

    def test_it_asks_for_the_password_again_after_fifteen_minutes(
        self, app: Flask, superadmin: User, sign_in: SignIn
    ) -> None:
        client = sign_in(superadmin)
        with app.app_context():
            old = datetime.now(UTC) - timedelta(minutes=15, seconds=1)
            db.session.execute(sa.update(UserSession).values(confirmed_at=old))
            db.session.commit()
        asked = client.get("/users/new")
        assert asked.headers["Location"] == "/me/confirm?next=/users/new"
        client.get_page(asked.headers["Location"])
        assert client.submit("/me/confirm", {"password": "wrong"}).status_code == 422
        assert client.submit("/me/confirm", {"password": PASSWORD}).headers["Location"] == "/users/new"
        assert client.get_page("/users/new").heading == "Add a user"


class TestChangingARole:
    def test_it_counts_at_once_and_ends_the_users_sessions(
        self, app: Flask, superadmin: User, client1: User, sign_in: SignIn
    ) -> None:
        boss, client = sign_in(superadmin), sign_in(client1)
        page = f"/users/{client1.id}"
        response = boss.submit(f"{page}/role", {"role": "admin", "confirmed": "y"}, page=page)
        assert response.status_code == 303
        assert stored(app, client1).role is Role.ADMIN
        assert client.get("/me").status_code == 302

    def test_it_wants_the_box_ticked(self, app: Flask, superadmin: User, client1: User, sign_in: SignIn) -> None:
        boss = sign_in(superadmin)
        page = f"/users/{client1.id}"
        assert boss.submit(f"{page}/role", {"role": "admin"}, page=page).status_code == 422
        assert stored(app, client1).role is Role.CLIENT

    def test_nobody_changes_their_own(self, app: Flask, superadmin: User, sign_in: SignIn) -> None:
        boss = sign_in(superadmin)
        for path in ("role", "disable", "reset-password"):
            response = boss.send(f"/users/{superadmin.id}/{path}", {"role": "client", "confirmed": "y"})
            assert response.status_code == 403
        assert stored(app, superadmin).role is Role.SUPER_ADMIN
        assert stored(app, superadmin).is_enabled


class TestTheLastSuperAdmin:
    def test_the_shell_cannot_remove_it_either(self, app: Flask, superadmin: User) -> None:
        with app.app_context():
            make_user("disabled", role=Role.SUPER_ADMIN, is_enabled=False)
            db.session.commit()
            with pytest.raises(ForbiddenError, match="last super admin"):
                users.set_enabled(superadmin.id, False, actor=None)
            db.session.rollback()

    def test_two_who_demote_each_other_at_once_leave_one(self, app: Flask, superadmin: User, sign_in: SignIn) -> None:
        with app.app_context():
            other = make_user("other", role=Role.SUPER_ADMIN)
            db.session.commit()
            db.session.refresh(other)
            db.session.expunge(other)
        pairs = [(sign_in(superadmin), other), (sign_in(other), superadmin)]

        def demote(pair: tuple[PageClient, User]) -> int:
            client, target = pair
            return client.send(f"/users/{target.id}/role", {"role": "client", "confirmed": "y"}).status_code

        with ThreadPoolExecutor(2) as pool:
            codes = sorted(pool.map(demote, pairs))
        assert codes[0] == 303
        assert codes[1] in {302, 401, 403}
        with app.app_context():
            left = db.session.scalars(sa.select(User.username).where(User.role == Role.SUPER_ADMIN)).all()
        assert len(left) == 1


class TestDisabling:
    def test_the_user_is_out_until_enabled(self, app: Flask, superadmin: User, client1: User, sign_in: SignIn) -> None:
        boss, client = sign_in(superadmin), sign_in(client1)
        page = f"/users/{client1.id}"
        assert boss.submit(f"{page}/disable", page=page).status_code == 303
        assert client.get("/me").status_code == 302
        assert browser(app).send("/sign-in", {"username": "client1", "password": PASSWORD}).status_code == 422
        assert boss.submit(f"{page}/enable", page=page).status_code == 303
        assert browser(app).send("/sign-in", {"username": "client1", "password": PASSWORD}).status_code == 303


class TestResettingAPassword:
    def test_the_old_one_and_the_sessions_end(
        self, app: Flask, superadmin: User, client1: User, sign_in: SignIn
    ) -> None:
        boss, client = sign_in(superadmin), sign_in(client1)
        page = f"/users/{client1.id}"
        assert boss.submit(f"{page}/reset-password", page=page).status_code == 200
        password = text_of(boss.page.one("pre"))
        assert client.get("/me").status_code == 302
        assert browser(app).send("/sign-in", {"username": "client1", "password": PASSWORD}).status_code == 422
        assert browser(app).send("/sign-in", {"username": "client1", "password": password}).status_code == 303


class TestChangingOnesOwnPassword:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"current": "wrong"}, "This is not your current password."),
            ({"repeated": "another"}, "This is not the same password."),
            ({"password": "password1", "repeated": "password1"}, "too easy to guess"),
            ({"password": "short", "repeated": "short"}, "Use at least 8 characters."),
            ({"password": "client1client1", "repeated": "client1client1"}, "too easy to guess"),
            ({"password": PASSWORD, "repeated": PASSWORD}, "The new password is the current one."),
            ({"password": "a\0bcdefgh 12 qq", "repeated": "a\0bcdefgh 12 qq"}, "NUL"),
        ],
    )
    def test_what_cannot_be_is_said_beside_the_field(
        self, client1: User, sign_in: SignIn, values: dict[str, str], words: str
    ) -> None:
        client = sign_in(client1)
        filled = {"current": PASSWORD, "password": NEW, "repeated": NEW, **values}
        assert client.submit("/me/password", filled, page="/me/password").status_code == 422
        assert words in client.page.text


class TestTheAudit:
    def test_each_act_leaves_a_row_and_no_password(
        self, app: Flask, superadmin: User, client1: User, sign_in: SignIn
    ) -> None:
        boss = sign_in(superadmin)
        passwords = [add_user(boss)]
        page = f"/users/{client1.id}"
        boss.submit(f"{page}/role", {"role": "admin", "confirmed": "y"}, page=page)
        boss.submit(f"{page}/reset-password", page=page)
        passwords.append(text_of(boss.page.one("pre")))
        boss.submit(f"{page}/disable", page=page)
        boss.submit(f"{page}/enable", page=page)
        with app.app_context():
            rows = db.session.scalars(
                sa.select(SystemLog).where(SystemLog.component == "audit").order_by(SystemLog.id)
            ).all()
        assert [row.message for row in rows] == [
            "User created",
            "Role changed",
            "Password reset",
            "User disabled",
            "User enabled",
        ]
        assert {row.user_id for row in rows} == {superadmin.id}
        assert all(len(row.request_id) == 32 for row in rows)
        everything = " ".join(str(row.details) + row.message for row in rows)
        assert not any(password in everything for password in passwords)


class TestTheList:
    def test_it_costs_the_same_for_thirty_as_for_one(
        self, app: Flask, superadmin: User, sign_in: SignIn, count_queries
    ) -> None:
        client = sign_in(superadmin)
        with count_queries() as few:
            client.get_page("/users")
        with app.app_context():
            for _ in range(30):
                make_user()
            db.session.commit()
        with count_queries() as many:
            client.get_page("/users")
        assert len(many) == len(few)
        assert "31 people" in client.page.text
