"""Fixtures for all tests: an application on a fresh database, the same five users everywhere, checked clients.

`client1` owns accounts, `client2` owns others, `client3` has nothing; `admin` and `superadmin` are what they say.
They are `User` objects, detached; `sign_in(client1)` gives a browser of that user.
"""

import gc
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from flask import Flask
from flask.signals import request_finished
from jinja2.bccache import Bucket, BytecodeCache
from pytest_socket import socket_allow_hosts
from sqlalchemy import event
from sqlalchemy.orm import Session

from app import create_app
from app.config import Config
from app.database import db
from app.models import Account, User
from app.models.types import AccountStatus, Role
from tests.client import PageClient
from tests.factories import make_account, make_user

pytest_plugins = ["tests.skipping", "tests.databases", "tests.fakes.aws"]

LOOPBACK = ["127.0.0.1", "::1", "localhost"]

SignIn = Callable[[User], PageClient]


# --- rules for the whole run -------------------------------------------------------------------------------

# Libraries and collected tests stay to the end: looking through them again and again took a quarter of the time.
gc.set_threshold(50_000, 20, 50)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """pytest-flask's own holds a request context open round each test, where Flask-Login keeps the first viewer:
    a second client would then be taken for the first. This one does nothing, on purpose."""


# --- the application ---------------------------------------------------------------------------------------


def make_config(instance_path: Path, **settings: Any) -> Config:
    """Settings as in development, on an SQLite file in `instance_path`."""
    defaults: dict[str, Any] = {
        "instance_path": instance_path,
        "database_url": f"sqlite:///{instance_path / 'spotkeeper.db'}",
        "secret_key": "a key for tests, of forty-two characters..",
        "encryption_keys": (("k1", bytes(range(32))),),
        "environment": "development",
        "secure_cookies": False,
        "broker_url": "filesystem://",
    }
    return Config(**{**defaults, **settings})


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at the head of the migrations, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    app = create_app(make_config(folder))
    with app.app_context():
        flask_migrate.upgrade()
        db.engine.dispose()
    # A file without a write-ahead log beside it, so that one file is all there is to copy.
    with closing(sqlite3.connect(folder / "spotkeeper.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(folder / "template.db"),))
    return folder / "template.db"


@pytest.fixture
def config(tmp_path: Path, migrated_database: Path) -> Config:
    """Settings of an installation whose database is migrated and empty."""
    shutil.copyfile(migrated_database, tmp_path / "spotkeeper.db")
    return make_config(tmp_path)


@pytest.fixture
def app(config: Config) -> Iterator[Flask]:
    application = make_app(config)
    yield application
    with application.app_context():
        db.engine.dispose()


class CompiledTemplates(BytecodeCache):
    """What templates were compiled to, for every application of this process: compiling took a third of its time."""

    def __init__(self) -> None:
        self.compiled: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.compiled:
            bucket.bytecode_from_string(self.compiled[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.compiled[bucket.key] = bucket.bytecode_to_string()


_compiled_templates = CompiledTemplates()


def make_app(config: Config) -> Flask:
    """An application whose clients are `PageClient`s and notice changes that nobody committed."""
    application = create_app(config)
    application.jinja_env.bytecode_cache = _compiled_templates
    application.testing = True
    # Faults become the pages that people would see; a test of a fault looks at its page.
    application.config["PROPAGATE_EXCEPTIONS"] = False
    application.test_client_class = PageClient
    request_finished.connect(_note_unsaved, application)
    return application


def _note_unsaved(sender: Flask, **_: Any) -> None:
    session = db.session()
    if session.new or session.dirty or session.deleted or session.info.get("flushed"):
        changed = [*session.new, *session.dirty, *session.deleted] or session.info["flushed"]
        sender.extensions["unsaved"] = ", ".join(sorted({type(row).__name__ for row in changed}))
    session.info.pop("flushed", None)


@event.listens_for(Session, "after_flush")
def _note_flush(session: Session, _context: object) -> None:
    session.info["flushed"] = [*session.new, *session.dirty, *session.deleted]


@event.listens_for(Session, "after_commit")
@event.listens_for(Session, "after_rollback")
def _forget_flush(session: Session) -> None:
    session.info.pop("flushed", None)


@pytest.fixture
def client(app: Flask) -> PageClient:
    """An anonymous browser."""
    return browser(app)


def browser(app: Flask) -> PageClient:
    found = app.test_client()
    assert isinstance(found, PageClient)
    return found


@pytest.fixture
def sign_in(app: Flask) -> SignIn:
    """`sign_in(user)` -> a browser signed in as that user, by a session row as sign-in makes it."""
    from app.services.sessions import start_session

    def sign_in_as(user: User) -> PageClient:
        with app.app_context():
            _, token = start_session(user, lifetime_seconds=3600, ip_address="127.0.0.1", user_agent="tests")
            db.session.commit()
        found = browser(app)
        with found.session_transaction() as cookie:
            cookie.update({"_user_id": str(user.id), "_fresh": True, "token": token})
        return found

    return sign_in_as


@pytest.fixture
def count_queries(app: Flask) -> Callable[[], Any]:
    """`with count_queries() as statements: ...` collects the SQL that was sent meanwhile."""
    with app.app_context():
        engine = db.engine

    @contextmanager
    def counting() -> Iterator[list[str]]:
        statements: list[str] = []

        def note(_c: Any, _cursor: Any, statement: str, _p: Any, _context: Any, _many: bool) -> None:
            if not statement.startswith("BEGIN"):
                statements.append(statement)

        event.listen(engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return counting


# --- the same people everywhere ----------------------------------------------------------------------------


def _seed_user(app: Flask, username: str, role: Role) -> User:
    with app.app_context():
        user = make_user(username, role=role)
        db.session.commit()
        db.session.refresh(user)
        db.session.expunge(user)
    return user


@pytest.fixture
def client1(app: Flask) -> User:
    return _seed_user(app, "client1", Role.CLIENT)


@pytest.fixture
def client2(app: Flask) -> User:
    return _seed_user(app, "client2", Role.CLIENT)


@pytest.fixture
def client3(app: Flask) -> User:
    return _seed_user(app, "client3", Role.CLIENT)


@pytest.fixture
def admin(app: Flask) -> User:
    return _seed_user(app, "admin", Role.ADMIN)


@pytest.fixture
def superadmin(app: Flask) -> User:
    return _seed_user(app, "superadmin", Role.SUPER_ADMIN)


def _seed_account(app: Flask, owner: User, account_id: str, name: str) -> Account:
    with app.app_context():
        account = make_account(owner, account_id=account_id, account_name=name, status=AccountStatus.ACTIVE)
        db.session.commit()
        db.session.refresh(account)
        db.session.expunge(account)
    return account


@pytest.fixture
def account1(app: Flask, client1: User) -> Account:
    """An active account of `client1`."""
    return _seed_account(app, client1, "111111111111", "Production")


@pytest.fixture
def account2(app: Flask, client2: User) -> Account:
    """An active account of `client2`."""
    return _seed_account(app, client2, "222222222222", "Warehouse")
