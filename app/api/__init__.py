"""The JSON door, for machines: `/api/v1`. Every answer is JSON, refusals are problems with a code (RFC 9457)."""

from flask import Flask

from app.api import events

BLUEPRINTS = (events.blueprint,)


def register_api(app: Flask) -> None:
    """Add every route of the door to the application."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
