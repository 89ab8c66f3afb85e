"""People and their sign-ins on each of the three databases, many at once."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db, expect_reads_only
from app.errors import ConflictError, ForbiddenError, NotFoundError
from app.models import SignInAttempt, User, UserSession
from app.models.types import Role
from app.services import sessions, users
from app.services.sign_in import REFUSED, SignInRefusedError, TooManyTriesError, prune_attempts, sign_in
from tests.factories import PASSWORD, make_account, make_user


def at_once(app: Flask, act: Callable[[Any], str], things: Iterable[Any]) -> Counter[str]:
    """Each act in a thread and an app context of its own, committed; counts what came of them."""

    def run(thing: Any) -> str:
        with app.app_context():
            try:
                result = act(thing)
                db.session.commit()
            except (SignInRefusedError, TooManyTriesError, ForbiddenError, ConflictError) as error:
                db.session.rollback()
                return type(error).__name__
            return result

    things = list(things)
    with ThreadPoolExecutor(len(things)) as pool:
        return Counter(pool.map(run, things))


def add_user(app: Flask, username: str, **values: Any) -> int:
    with app.app_context():
        user = make_user(username, **values)
        db.session.commit()
        return user.id


class TestSigningIn:
    def test_twenty_wrong_tries_at_once_are_all_counted(self, any_database: Flask) -> None:
        add_user(any_database, "dora")

        def attempt(_: int) -> str:
            return sign_in("dora", "wrong", ip_address="192.0.2.1").username

        assert at_once(any_database, attempt, range(20)) == {"SignInRefusedError": 10, "TooManyTriesError": 10}

    def test_right_and_wrong_ones_at_once_do_not_wait_for_each_other(self, any_database: Flask) -> None:
        names = [f"user{n}" for n in range(4)]
        for name in names:
            add_user(any_database, f"right{name}")

        def attempt(number: int) -> str:
            name = f"right{names[number % 4]}"
            return "in" if sign_in(name, PASSWORD if number % 2 else "wrong", ip_address="192.0.2.1") else "?"

        assert at_once(any_database, attempt, range(16)) == {"in": 8, "SignInRefusedError": 8}

    def test_the_counter_starts_anew_after_the_window(self, any_database: Flask) -> None:
        add_user(any_database, "dora")
        with any_database.app_context():
            for _ in range(11):
                with pytest.raises((SignInRefusedError, TooManyTriesError)):
                    sign_in("dora", "wrong", ip_address="192.0.2.1")
            db.session.commit()
            long_ago = datetime.now(UTC) - timedelta(minutes=6)
            db.session.execute(sa.update(SignInAttempt).values(window_started_at=long_ago))
            db.session.commit()
            with pytest.raises(SignInRefusedError, match=REFUSED):
                sign_in("dora", "wrong", ip_address="192.0.2.1")
            db.session.rollback()
            assert db.session.scalars(sa.select(SignInAttempt.attempts)).all() == [1, 1]

    def test_old_counters_are_forgotten(self, any_database: Flask) -> None:
        with any_database.app_context():
            with pytest.raises(SignInRefusedError):
                sign_in("nobody", "wrong", ip_address="192.0.2.1")
            db.session.rollback()
            assert prune_attempts(older_than=datetime.now(UTC) - timedelta(hours=1)) == 0
            assert prune_attempts(older_than=datetime.now(UTC) + timedelta(seconds=1)) == 2


class TestPeople:
    def test_two_super_admins_who_demote_each_other_leave_one(self, any_database: Flask) -> None:
        ids = [add_user(any_database, name, role=Role.SUPER_ADMIN) for name in ("one", "two")]

        def demote(target: int) -> str:
            actor = users.get_user(next(user_id for user_id in ids if user_id != target))
            users.change_role(target, Role.CLIENT, actor=actor)
            return "demoted"

        assert at_once(any_database, demote, ids) == {"demoted": 1, "ForbiddenError": 1}

    def test_one_name_at_once_is_given_once(self, any_database: Flask) -> None:
        def create(number: int) -> str:
            users.create_user("dora", email=f"dora{number}@example.com", role=Role.CLIENT)
            return "created"

        assert at_once(any_database, create, range(4)) == {"created": 1, "ConflictError": 3}

    def test_they_are_listed_with_what_they_own(self, any_database: Flask) -> None:
        add_user(any_database, "anna")
        with any_database.app_context():
            owner = make_user("berta")
            make_account(owner)
            make_account(owner)
            db.session.commit()
            assert [(user.username, count) for user, count in users.list_users()] == [("anna", 0), ("berta", 2)]


class TestSessions:
    def test_a_session_is_found_by_its_token_with_its_user(self, any_database: Flask) -> None:
        user_id = add_user(any_database, "dora")
        with any_database.app_context():
            session, token = sessions.start_session(users.get_user(user_id), lifetime_seconds=60)
            db.session.commit()
            found = sessions.find_session(token, user_id=user_id, idle_seconds=60)
            assert found is session
            assert found.user.username == "dora"
            assert sessions.find_session(token + "x", user_id=user_id, idle_seconds=60) is None
            assert sessions.find_session(token, user_id=user_id + 1, idle_seconds=60) is None

    def test_it_is_touched_apart_from_the_request(self, any_database: Flask) -> None:
        user_id = add_user(any_database, "dora")
        with any_database.app_context():
            session, _ = sessions.start_session(users.get_user(user_id), lifetime_seconds=60)
            session.last_seen_at = datetime.now(UTC) - timedelta(minutes=2)
            db.session.commit()
            expect_reads_only(True)  # as a GET does
            sessions.touch_session(session)
            expect_reads_only(False)
            db.session.rollback()
            last_seen = db.session.scalars(sa.select(UserSession.last_seen_at)).one()
            assert datetime.now(UTC) - last_seen < timedelta(seconds=30)

    def test_only_ones_own_can_be_ended(self, any_database: Flask) -> None:
        ids = [add_user(any_database, name) for name in ("one", "two")]
        with any_database.app_context():
            one, two = (users.get_user(user_id) for user_id in ids)
            session, _ = sessions.start_session(one, lifetime_seconds=60)
            with pytest.raises(NotFoundError):
                sessions.revoke_session(two, session.id)
            sessions.revoke_session(one, session.id)
            assert sessions.list_sessions(one, idle_seconds=60) == []
            db.session.commit()


def test_users_are_named_as_their_constraints_want(any_database: Flask) -> None:
    with any_database.app_context():
        user, _ = users.create_user(" Dora ", email="Dora@Example.COM", role=Role.ADMIN)
        db.session.commit()
        assert (user.username, user.email) == ("dora", "dora@example.com")
        assert isinstance(db.session.get_one(User, user.id).role, Role)
