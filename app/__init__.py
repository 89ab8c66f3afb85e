"""Spotkeeper: `create_app()` puts the parts together; reading it is reading the table of contents."""

import os
from pathlib import Path

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import models
from app.api import register_api
from app.cli import register_commands
from app.config import Config
from app.crypto import keyring
from app.database import Base, db, engine_options, prepare_engine
from app.extensions import LateMigrate, login_manager
from app.services.system_log_handler import configure_logging
from app.tasks.doorbell import configure_doorbell
from app.web import register_pages
from app.web.csrf import csrf

__all__ = ["create_app"]

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def create_app(config: Config | None = None) -> Flask:
    """An application for one installation.

    Raises:
        ConfigError: the settings are incomplete or contradict each other.
    """
    config = config or Config.from_environment()
    app = Flask(__name__, instance_path=os.fspath(config.instance_path))
    app.config.from_mapping(flask_settings(config))
    app.extensions["spotkeeper"] = config
    app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
        app.wsgi_app, x_for=config.trusted_proxies, x_proto=config.trusted_proxies, x_host=0, x_prefix=0
    )

    keyring.load(config.encryption_keys)
    db.init_app(app)
    LateMigrate(app, db, directory=os.fspath(MIGRATIONS))
    login_manager.init_app(app)
    csrf.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
        configure_logging(config, db.engine)

    configure_doorbell(app, config)
    register_pages(app)
    register_api(app)
    register_commands(app)
    app.shell_context_processor(shell_context)
    return app


def shell_context() -> dict[str, object]:
    """What `flask shell` has at hand: `db`, every model, and on each the `query` that people try first."""
    Base.query = db.session.query_property()
    return {"db": db, **{name: getattr(models, name) for name in models.__all__}}


def flask_settings(config: Config) -> dict[str, object]:
    """Our settings in the names by which Flask and its extensions know them."""
    secure = config.secure_cookies
    return {
        "SECRET_KEY": config.secret_key,
        "SECRET_KEY_FALLBACKS": list(config.secret_key_fallbacks),
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(config),
        # A cookie named __Host- is accepted over https only, for this host and path only.
        "SESSION_COOKIE_NAME": "__Host-session" if secure else "session",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": config.session_lifetime_seconds,
        "WTF_CSRF_TIME_LIMIT": None,  # a token lives as long as its session
        "MAX_CONTENT_LENGTH": 1024 * 1024,
        "MAX_FORM_MEMORY_SIZE": 512 * 1024,
    }
