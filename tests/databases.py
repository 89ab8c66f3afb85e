"""Throw-away databases on real servers: made once a test process, migrated once, emptied after each test.

Which servers: `TEST_POSTGRESQL_URL` and `TEST_MARIADB_URL` name any database that the user in them may connect to;
the user must be allowed to create others. A test that asks for a server which does not answer is skipped, with the
reason. Load the fixtures with `pytest_plugins = ["tests.databases"]` in the root conftest.
"""

import base64
import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from app.config import Config, normalize_database_url
from app.database import db
from app.services.system_log_handler import flush_logs

KINDS = ("sqlite", "mariadb", "postgresql")
SERVERS = {
    "mariadb": ("TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/test"),
    "postgresql": ("TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/test"),
}

#: The three databases as parameters, each with the marker of the server that it needs.
EVERY_KIND = [
    pytest.param("sqlite"),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
    pytest.param("postgresql", marks=pytest.mark.postgresql),
]


def make_config(database_url: str, instance_path: Path, **env: str) -> Config:
    """Settings for a test: own keys, http cookies, nothing from the environment of who runs the tests."""
    return Config.from_environment(
        {
            "DATABASE_URL": database_url,
            "INSTANCE_PATH": os.fspath(instance_path),
            "SPOTKEEPER_ENV": "development",
            "SECRET_KEY": secrets.token_hex(32),
            "ENCRYPTION_KEYS": "k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "DB_POOL_SIZE": "5",
            **env,
        }
    )


def empty_database(app: Flask) -> None:
    """Delete every row of every table, and wait for log lines under way."""
    flush_logs()
    with app.app_context(), db.engine.begin() as connection:
        for table in reversed(db.metadata.sorted_tables):
            connection.execute(sa.delete(table))


class Databases:
    """Makes databases of the three kinds, and drops every one that it made."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._cleanups = contextlib.ExitStack()
        self._apps: dict[str, Flask] = {}
        self._unreachable: dict[str, str] = {}
        self._count = 0

    def migrated(self, kind: str) -> Flask:
        """The application on this process's own database of that kind, migrated to the head."""
        if kind not in self._apps:
            app = self.app_on(self.create(kind))
            with app.app_context():
                flask_migrate.upgrade()
            self._apps[kind] = app
        return self._apps[kind]

    def app_on(self, url: str) -> Flask:
        """An application on that database, whose connections are closed before the database is dropped."""
        app = create_app(make_config(url, self.directory))
        self._cleanups.callback(_close_connections, app)
        return app

    def create(self, kind: str) -> str:
        """The URL of a new, empty database; skips the test when the server does not answer."""
        self._count += 1
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw")
        name = f"spotkeeper_{worker}_{os.getpid()}_{self._count}"
        if kind == "sqlite":
            return f"sqlite:///{self.directory / name}.db"
        server = self._server(kind)
        if kind == "mariadb":
            self._execute(server, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
            self._cleanups.callback(self._execute, server, f"DROP DATABASE `{name}`")
        else:
            # template0, because nobody is ever connected to it: two test processes may create at the same time.
            self._execute(server, f'CREATE DATABASE "{name}" TEMPLATE template0')
            self._cleanups.callback(self._execute, server, f'DROP DATABASE "{name}" WITH (FORCE)')
        return server.set(database=name).render_as_string(hide_password=False)

    def close(self) -> None:
        flush_logs()
        self._cleanups.close()

    def _server(self, kind: str) -> URL:
        variable, default = SERVERS[kind]
        url = normalize_database_url(os.environ.get(variable) or default)
        if kind not in self._unreachable:
            self._unreachable[kind] = ""
            try:
                self._execute(url, "SELECT 1")
            except SQLAlchemyError as error:
                place = url.render_as_string(hide_password=True)
                reason = str(getattr(error, "orig", error)).splitlines()[0]
                self._unreachable[kind] = f"{kind} does not answer at {place} ({reason}); set {variable}"
        if self._unreachable[kind]:
            pytest.skip(self._unreachable[kind])
        return url

    @staticmethod
    def _execute(url: URL, statement: str) -> None:
        engine = sa.create_engine(
            url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 15}
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)


def _close_connections(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """For tests that need an unmigrated database, or two: `databases.create(kind)`, `databases.app_on(url)`."""
    made = Databases(tmp_path_factory.mktemp("databases"))
    yield made
    made.close()


@pytest.fixture(params=EVERY_KIND)
def any_database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Flask]:
    """The application on each of the three databases in turn: migrated, and empty."""
    app = databases.migrated(request.param)
    yield app
    empty_database(app)


@pytest.fixture(scope="module", params=EVERY_KIND)
def module_database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Flask]:
    """As `any_database`, for a module whose tests leave what one fixture has put there, and use no other database."""
    app = databases.migrated(request.param)
    yield app
    empty_database(app)


def _only(kind: str) -> Callable[[Databases], Iterator[Flask]]:
    def one_database(databases: Databases) -> Iterator[Flask]:
        app = databases.migrated(kind)
        yield app
        empty_database(app)

    return one_database


sqlite_database = pytest.fixture(name="sqlite_database")(_only("sqlite"))
mariadb_database = pytest.fixture(name="mariadb_database")(_only("mariadb"))
postgresql_database = pytest.fixture(name="postgresql_database")(_only("postgresql"))
