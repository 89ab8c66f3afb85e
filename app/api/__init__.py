"""The JSON door, /api/v1: for machines, which carry a secret of their own; one module a noun."""

from flask import Flask

from app.api import events


def register_api(app: Flask) -> None:
    """Add every endpoint to the application."""
    app.register_blueprint(events.blueprint)
