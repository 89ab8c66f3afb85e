"""Spotkeeper as benchmarks use it: the real application on a database of its own, with an account to read."""

import os
from pathlib import Path

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from app.aws.formats import new_external_id
from app.config import Config, normalize_database_url
from app.database import db
from app.models import Account, User
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod, Role
from benchmarks.ec2_instance import account_id
from benchmarks.ec2_server import access_key

#: The servers of the tests: see docs/configuration.md.
SERVERS = {
    "postgresql": ("TEST_POSTGRESQL_URL", "postgresql://postgres@127.0.0.1:5432/test"),
    "mariadb": ("TEST_MARIADB_URL", "mysql://root@127.0.0.1:3306/test"),
}


def make_app(folder: Path, database_url: str) -> Flask:
    """The application; every process that makes one on the same database can open what the others sealed."""
    config = Config(
        instance_path=folder,
        database_url=normalize_database_url(database_url).render_as_string(hide_password=False),
        secret_key="a key for measuring, never used elsewhere",
        encryption_keys=(("k1", bytes(range(32))),),
        environment="development",
        secure_cookies=False,
        broker_url="filesystem://",
        # One account is read many times in a few minutes here.
        aws_calls_per_hour=0,
        log_level="WARNING",
    )
    return create_app(config)


def install(app: Flask) -> None:
    """Migrate an empty database, and enter account 1 of the fake AWS as one that was connected by its keys."""
    import flask_migrate  # which workers do not load, and those who are measured are workers

    with app.app_context():
        flask_migrate.upgrade()
        owner = User(username="bench", email="bench@example.com", password_hash="-", role=Role.CLIENT)
        db.session.add(owner)
        db.session.flush()
        aws_id = account_id(1)
        account = Account(
            user_id=owner.id,
            account_id=aws_id,
            verified_account_id=aws_id,
            account_name="Fleet",
            connection_method=ConnectionMethod.ACCESS_KEYS,
            external_id=new_external_id(),
            status=AccountStatus.CONNECTED,
            health=AccountHealth.OK,
        )
        account.set_access_keys(access_key(1), "benchmark")
        db.session.add(account)
        db.session.commit()
        db.engine.dispose()


def create_database(kind: str, name: str) -> str:
    """The URL of a new database on the server of that kind."""
    server = _server(kind)
    _execute(server, f"CREATE DATABASE {name}" + (" CHARACTER SET utf8mb4" if kind == "mariadb" else ""))
    return server.set(database=name).render_as_string(hide_password=False)


def drop_database(kind: str, name: str) -> None:
    _execute(_server(kind), f"DROP DATABASE {name}" + (" WITH (FORCE)" if kind == "postgresql" else ""))


def server_version(kind: str) -> str:
    """What the server calls its own version; empty where it does not answer."""
    statement = "SHOW server_version" if kind == "postgresql" else "SELECT version()"
    try:
        return _execute(_server(kind), statement).split("-")[0].split()[0]
    except SQLAlchemyError:
        return ""


def _server(kind: str) -> URL:
    variable, default = SERVERS[kind]
    return normalize_database_url(os.environ.get(variable) or default)


def _execute(server: URL, statement: str) -> str:
    engine = sa.create_engine(
        server, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3}
    )
    with engine.connect() as connection:
        result = connection.exec_driver_sql(statement)
        return str(result.scalar()) if result.returns_rows else ""
