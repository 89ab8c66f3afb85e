"""What the tests of the data layer share: one connection to each database, rolled back at the end."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.database import db


@pytest.fixture
def connection(any_database: Flask) -> Iterator[Connection]:
    with any_database.app_context(), db.engine.connect() as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def session(any_database: Flask) -> Iterator[Session]:
    with any_database.app_context():
        yield db.session()
        db.session.rollback()
