"""Refusals and faults, as people see them."""

import json
from collections.abc import Callable

import pytest
from flask import Flask, abort
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from app.database import db
from app.errors import ConflictError, ForbiddenError, NotFoundError
from app.models import User
from app.models.types import Role
from app.web.access import public, requires
from tests.client import PageClient
from tests.conftest import SignIn, browser

SECRET = "a secret of the traceback"


def fail(error: Exception) -> Callable[[], str]:
    def view() -> str:
        raise error

    return view


def ask(app: Flask, error: Exception, **kwargs: object) -> tuple[PageClient, TestResponse]:
    app.add_url_rule("/fault", "fault", public(fail(error)))
    client = browser(app)
    return client, client.get("/fault", **kwargs)


class TestPages:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 429, 500, 503])
    def test_each_says_what_happened_and_what_to_do(self, app: Flask, status: int) -> None:
        app.add_url_rule("/fault", "fault", public(lambda: abort(status)))
        client = browser(app)
        response = client.get("/fault")
        assert response.status_code == status
        assert f"Error {status}" in client.page.text
        assert response.headers["X-Request-ID"] in client.page.text
        assert len(client.page.text.split()) > 20

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (NotFoundError(SECRET), 404),
            (ForbiddenError("You may not"), 403),
            (ConflictError("It has moved on"), 409),
            (OperationalError("SELECT secret", {}, Exception(SECRET)), 503),
            (ValueError(SECRET), 500),
            (RecursionError(SECRET), 500),
        ],
    )
    def test_errors_of_the_domain_have_their_page_and_keep_their_secrets(
        self, app: Flask, error: Exception, status: int
    ) -> None:
        _, response = ask(app, error)
        assert response.status_code == status
        for leak in (SECRET, "SELECT", "Traceback", "site-packages", "Werkzeug", "Python/"):
            assert leak not in response.text
        assert ("Retry-After" in response.headers) == (status == 503)

    def test_machines_get_a_problem_in_json(self, app: Flask) -> None:
        _, response = ask(app, NotFoundError(SECRET), headers={"Accept": "application/json"})
        assert response.mimetype == "application/problem+json"
        problem = json.loads(response.text)
        assert (problem["status"], problem["request_id"]) == (404, response.headers["X-Request-ID"])

    def test_an_unknown_address_is_404_for_everybody(self, app: Flask, client1: User, sign_in: SignIn) -> None:
        for client in (browser(app), sign_in(client1)):
            for path in ("/nothing", "/users/12x", "/accounts/-1", "/../etc/passwd", "/static/../config.py", "/%00"):
                assert client.get(path).status_code == 404, path

    def test_too_much_is_413(self, client: PageClient) -> None:
        response = client.send("/sign-in", {"username": "x" * 1_100_000, "password": "y"})
        assert response.status_code == 413

    def test_what_was_begun_is_rolled_back(self, app: Flask, client1: User, sign_in: SignIn) -> None:
        def begin_and_fail() -> str:
            db.session.get_one(User, client1.id).time_zone = "Europe/Paris"
            db.session.flush()
            raise ValueError(SECRET)

        app.add_url_rule("/fault", "fault", requires(Role.CLIENT)(begin_and_fail), methods=["POST"])
        assert sign_in(client1).send("/fault").status_code == 500
        with app.app_context():
            assert db.session.get_one(User, client1.id).time_zone == "UTC"


class TestWithoutADatabase:
    def test_pages_are_503_and_say_so_while_health_is_fine(
        self, app: Flask, client1: User, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = sign_in(client1)
        with app.app_context():
            engine = db.engine
            engine.dispose()

        def refuse(*_: object, **__: object) -> None:
            raise OperationalError("connect", {}, Exception(SECRET))

        monkeypatch.setattr(engine.pool, "connect", refuse)
        response = client.get("/me")
        assert response.status_code == 503
        assert client.page.heading == "The database does not answer"
        assert response.headers["Retry-After"] == "5"
        assert client.send("/me", {"time_zone": "UTC"}).status_code == 503
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        monkeypatch.undo()
        assert client.get("/me").status_code == 200


class TestHealth:
    def test_it_tells_strangers_nothing_more(self, client: PageClient) -> None:
        assert client.get("/healthz").json == {"status": "ok"}
        assert client.get("/readyz").json == {"status": "ok"}

    def test_an_older_schema_is_not_ready(self, app: Flask, client: PageClient) -> None:
        with app.app_context():
            db.session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
            db.session.commit()
        response = client.get("/readyz")
        assert (response.status_code, response.json) == (503, {"status": "unavailable"})
