"""Two questions that machines ask: does the process live, and can it serve. Strangers learn nothing more."""

import logging

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from app.services.readiness import is_database_ready
from app.tasks.doorbell import broker_is_reachable
from app.web.access import public, settings

log = logging.getLogger(__name__)

blueprint = Blueprint("health", __name__)

BROKER_TIMEOUT_SECONDS = 2


@blueprint.get("/healthz")
@public
def alive() -> ResponseReturnValue:
    """The process answers; the database is not asked."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
@public
def ready() -> ResponseReturnValue:
    """200 when the database stands at the newest schema and the broker can be reached, else 503; why is logged."""
    checks = {
        "database": is_database_ready(),
        "broker": broker_is_reachable(settings(), BROKER_TIMEOUT_SECONDS),
    }
    missing = [name for name, is_ready in checks.items() if not is_ready]
    if missing:
        log.warning("not ready: %s", ", ".join(missing))
        return jsonify(status="unavailable"), 503
    return jsonify(status="ok")
