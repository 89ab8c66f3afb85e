"""The HTML door: pages, forms, errors and headers."""

from flask import Flask

from app.config import Config
from app.web.access import register_access
from app.web.arguments import IdConverter
from app.web.compression import register_compression
from app.web.errors import register_errors
from app.web.filters import register_filters
from app.web.headers import register_headers
from app.web.navigation import register_navigation
from app.web.views import (
    account_batches,
    account_events,
    account_organization,
    account_permissions,
    auth,
    changes,
    connecting,
    dashboard,
    downtime,
    experiments,
    exports,
    health,
    instance_authorization,
    instance_comparison,
    me,
    past,
    rules,
    runs,
    saved_views,
    system_logs,
    users,
)

BLUEPRINTS = tuple(
    view.blueprint
    for view in (
        auth,
        dashboard,
        connecting,  # the blueprint of `accounts`, with connecting them
        account_batches,
        account_events,
        account_organization,
        account_permissions,
        runs,
        rules,
        instance_authorization,  # the blueprint of `instances`, with one instance's own page and authorizing
        exports,
        saved_views,
        instance_comparison,
        past,
        changes,
        experiments,
        downtime,
        system_logs,
        users,
        me,
        health,
    )
)


def register_pages(app: Flask) -> None:
    """Add every page to the application, with access control, headers and error pages."""
    config: Config = app.extensions["spotkeeper"]
    register_headers(app, config)
    register_compression(app)
    register_access(app)
    register_errors(app)
    register_filters(app)
    register_navigation(app)
    app.url_map.converters["int"] = IdConverter
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
