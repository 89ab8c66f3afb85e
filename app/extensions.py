"""Bare instances of the extensions that doors share; `create_app()` binds them to an application."""

from typing import Any

from flask import Flask
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy

login_manager = LoginManager()


class LateMigrate:
    """Stands in `app.extensions` for Flask-Migrate until something asks for it, as `flask db` does: with Alembic it is
    11 MiB and a tenth of what a web process takes to start, and serves no page."""

    def __init__(self, app: Flask, db: SQLAlchemy, *, directory: str) -> None:
        self._app, self._db, self._directory = app, db, directory
        app.extensions["migrate"] = self

    def __getattr__(self, name: str) -> Any:
        from flask_migrate import Migrate

        Migrate(self._app, self._db, directory=self._directory)  # which puts itself in this one's place
        return getattr(self._app.extensions["migrate"], name)
