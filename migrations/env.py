"""How Alembic runs: on the application's own engine, with batch mode where the database cannot ALTER."""

from typing import Any

from alembic import context
from alembic.autogenerate.api import AutogenContext
from flask import current_app
from sqlalchemy.dialects import mysql

from app import columns
from app.database import db

target_metadata = db.metadata


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | bool:
    """Write our own column types as themselves, so that a revision means the same on every database."""
    if kind != "type" or type(item).__module__ != columns.__name__:
        return False
    autogen.imports.add("from app import columns")
    arguments = ""
    if isinstance(item, columns.ExactText):
        arguments = str(item.length)
    elif isinstance(item, columns.ExactDecimal):
        arguments = f"{item.precision}, {item.scale}"
    return f"columns.{type(item).__name__}({arguments})"


def compare_type(_context: Any, _inspected: Any, _model: Any, inspected_type: Any, model_type: Any) -> bool | None:
    """MariaDB keeps JSON as LONGTEXT under a CHECK, and says so when asked: that is no difference."""
    if isinstance(inspected_type, mysql.LONGTEXT) and isinstance(model_type, columns.Json):
        return False
    if isinstance(model_type, columns.ExactDecimal) and "BIGINT" in str(inspected_type):
        return False
    return None


def run() -> None:
    with current_app.extensions["migrate"].db.engine.connect() as connection:
        context.configure(
            connection=connection,
            target_metadata=target_metadata,
            render_item=render_item,
            compare_type=compare_type,
            render_as_batch=connection.dialect.name == "sqlite",
        )
        with context.begin_transaction():
            context.run_migrations()


run()
