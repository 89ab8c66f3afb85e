"""Authorizing instances: by whom, when and why, or not at all."""

from datetime import datetime

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.models import Instance, SystemLog, User
from app.models.types import AccountStatus, AuthStatus, Role
from app.services.instances.authorize import MAX_AT_ONCE, find_last_change, set_auth_status, undo_change
from tests.factories import make_account, make_instance, make_user


@pytest.fixture
def ids(any_database: Flask) -> list[int]:
    """Three unauthorized instances."""
    with any_database.app_context():
        make_user("admin", role=Role.ADMIN)
        account = make_account(make_user("owner"), status=AccountStatus.ACTIVE)
        found = [make_instance(account, auth_status=AuthStatus.UNAUTHORIZED).id for _ in range(3)]
        db.session.commit()
    return found


def person(name: str) -> User:
    return db.session.scalars(sa.select(User).where(User.username == name)).one()


class TestAuthorizing:
    def test_it_says_by_whom_when_and_why(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context():
            admin = person("admin")
            assert set_auth_status(admin, ids[:2], AuthStatus.AUTHORIZED, reason=" planned ") == 2
            db.session.commit()
            for row in db.session.scalars(sa.select(Instance).where(Instance.id.in_(ids[:2]))):
                assert row.auth_status is AuthStatus.AUTHORIZED
                assert (row.auth_reason, row.auth_changed_by_id) == ("planned", admin.id)
                assert row.auth_changed_at is not None
            assert db.session.get_one(Instance, ids[2]).auth_status is AuthStatus.UNAUTHORIZED
            log = db.session.scalars(sa.select(SystemLog).where(SystemLog.component == "audit")).one()
            assert log.user_id == admin.id
            assert log.details["reason"] == "planned"

    def test_it_can_be_taken_back(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context():
            set_auth_status(person("admin"), ids, AuthStatus.AUTHORIZED, reason="one")
            assert set_auth_status(person("admin"), ids, AuthStatus.UNAUTHORIZED, reason="two") == 3

    def test_who_has_the_status_keeps_its_reason(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context():
            set_auth_status(person("admin"), ids[:1], AuthStatus.AUTHORIZED, reason="first")
            assert set_auth_status(person("admin"), ids, AuthStatus.AUTHORIZED, reason="second") == 2
            assert db.session.get_one(Instance, ids[0], populate_existing=True).auth_reason == "first"

    def test_one_that_is_not_there_stops_all(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context():
            with pytest.raises(NotFoundError):
                set_auth_status(person("admin"), [*ids, 12345], AuthStatus.AUTHORIZED, reason="x")
            assert {row.auth_status for row in db.session.scalars(sa.select(Instance))} == {AuthStatus.UNAUTHORIZED}

    def test_an_owner_may_not(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context(), pytest.raises(ForbiddenError):
            set_auth_status(person("owner"), ids, AuthStatus.AUTHORIZED, reason="mine")

    @pytest.mark.parametrize(
        ("count", "reason"), [(0, "x"), (3, ""), (3, "   "), (3, "x" * 501), (MAX_AT_ONCE + 1, "x")]
    )
    def test_it_refuses_nothing_too_much_and_no_reason(
        self, any_database: Flask, ids: list[int], count: int, reason: str
    ) -> None:
        wanted = ids[:count] if count <= 3 else list(range(count))
        with any_database.app_context(), pytest.raises(InvalidInputError):
            set_auth_status(person("admin"), wanted, AuthStatus.AUTHORIZED, reason=reason)


def statuses(ids: list[int]) -> list[str]:
    db.session.expire_all()
    return [db.session.get_one(Instance, instance_pk).auth_status.value for instance_pk in ids]


def authorize(name: str, ids: list[int]) -> datetime:
    """Authorizes them in a transaction of its own; the mark of the act."""
    set_auth_status(person(name), ids, AuthStatus.AUTHORIZED, reason="ours")
    db.session.commit()
    mark = find_last_change(person(name))
    assert mark is not None
    return mark


class TestUndoing:
    def test_it_turns_round_what_that_act_changed_and_nothing_else(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context():
            authorize("admin", ids[:1])
            mark = authorize("admin", ids)
            assert undo_change(person("admin"), mark) == 2
            assert statuses(ids) == ["authorized", "unauthorized", "unauthorized"]
            newest = db.session.scalars(sa.select(SystemLog).order_by(SystemLog.id.desc()).limit(1)).one()
            assert newest.details["instances"] == sorted(ids[1:])

    def test_what_somebody_has_changed_since_stays(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context():
            make_user("admin2", role=Role.ADMIN)
            mark = authorize("admin", ids)
            set_auth_status(person("admin2"), ids[:1], AuthStatus.UNAUTHORIZED, reason="not ours")
            set_auth_status(person("admin2"), ids[:1], AuthStatus.AUTHORIZED, reason="ours after all")
            assert undo_change(person("admin"), mark) == 2
            assert statuses(ids) == ["authorized", "unauthorized", "unauthorized"]
            with pytest.raises(ConflictError):
                undo_change(person("admin"), mark)

    def test_nobody_undoes_what_another_did(self, any_database: Flask, ids: list[int]) -> None:
        with any_database.app_context():
            make_user("admin2", role=Role.ADMIN)
            mark = authorize("admin", ids)
            with pytest.raises(ConflictError):
                undo_change(person("admin2"), mark)
            with pytest.raises(ForbiddenError):
                undo_change(person("owner"), mark)
            assert statuses(ids) == ["authorized"] * 3
