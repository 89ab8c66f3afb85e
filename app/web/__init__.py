"""The HTML door: pages, forms, errors and headers."""

import importlib
from pathlib import Path

from flask import Blueprint, Flask

from app.config import Config
from app.web.access import register_access
from app.web.errors import register_errors
from app.web.filters import register_filters
from app.web.headers import register_headers
from app.web.navigation import register_navigation


def register_pages(app: Flask) -> None:
    """Add every page to the application, with access control, headers and error pages."""
    config: Config = app.extensions["spotkeeper"]
    register_headers(app, config)
    register_access(app)
    register_errors(app)
    register_filters(app)
    register_navigation(app)
    for name in view_modules():
        app.register_blueprint(blueprint_of(name))


def view_modules() -> list[str]:
    """The nouns that have pages: the modules in web/views/."""
    return sorted(path.stem for path in (Path(__file__).parent / "views").glob("[a-z]*.py"))


def blueprint_of(name: str) -> Blueprint:
    """The one blueprint that a view module defines, named as the module."""
    module = importlib.import_module(f"app.web.views.{name}")
    found: Blueprint = module.blueprint
    if found.name != name:
        raise RuntimeError(f"app/web/views/{name}.py: name the blueprint {name!r}, not {found.name!r}")
    return found
