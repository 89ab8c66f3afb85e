"""Whether the database can serve: it answers, and its schema is the one this code was written for."""

import functools
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from app.database import db

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def is_database_ready() -> bool:
    """Whether the database answers and stands at the newest revision."""
    try:
        revision = db.session.scalar(sa.text("SELECT version_num FROM alembic_version"))
    except SQLAlchemyError:
        db.session.rollback()
        return False
    return bool(revision == newest_revision())


@functools.cache
def newest_revision() -> str:
    """The head of the migrations that came with this code.

    They form one line, and each file's name begins with its revision (tests hold both): Alembic, which would say the
    same, takes more memory than any page.
    """
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]
