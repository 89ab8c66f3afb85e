"""`flask db`: Flask-Migrate's own commands, loaded when one of them is called."""

from typing import Any

import click


class LateGroup(click.Command):
    """Stands for Flask-Migrate's group, without its import (and Alembic's) in processes that migrate nothing."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        from flask_migrate.cli import db

        found: click.Group = db
        return found.make_context(info_name, args, parent, **extra)


group = LateGroup("db", help="Bring the database's schema up to date, and look after its revisions.")
