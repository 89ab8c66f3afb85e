"""Whether the database can serve: it answers, and its schema is the one this code was written for."""

import functools
import os
from pathlib import Path

import sqlalchemy as sa
from alembic.script import ScriptDirectory
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
def newest_revision() -> str | None:
    """The head of the migrations that came with this code."""
    return ScriptDirectory(os.fspath(MIGRATIONS)).get_current_head()
