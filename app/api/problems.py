"""Refusals and faults as JSON: a status, a code for programs, and a sentence for people; never a traceback."""

import logging
from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import HTTPException

from app.database import DATABASE_TROUBLE, db, is_out_of_room
from app.errors import NotFoundError
from app.services import system_logs

log = logging.getLogger("app.api")

RETRY_AFTER_SECONDS = 5

#: What to call a refusal that the view did not name itself.
CODES = {
    400: ("bad_request", "The request was not understood."),
    401: ("unauthorized", "A valid secret is needed for this."),
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This address does not take requests of that kind."),
    413: ("too_large", "The request is too large."),
    415: ("unsupported_media_type", "Send JSON, as application/json."),
    500: ("internal", "Something broke on our side. Send it again later."),
    503: ("unavailable", "The database does not answer. Send it again in a few seconds."),
    507: ("no_room", "There is no room left on the disk of the database. Send it again later."),
}


def problem(status: int, code: str = "", detail: str = "", *, retry_after: int | None = None) -> Response:
    """The answer to a request that is refused. Whatever it had begun is rolled back."""
    db.session.rollback()
    usual_code, usual_detail = CODES.get(status, ("refused", "The request was refused."))
    response = jsonify(
        {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "code": code or usual_code,
            "detail": detail or usual_detail,
            "request_id": system_logs.request_id.get(),
        }
    )
    response.status_code = status
    response.mimetype = "application/problem+json"
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def register_problems(blueprint: Blueprint) -> None:
    """Every refusal and fault of the blueprint's routes ends in a problem."""
    blueprint.register_error_handler(HTTPException, lambda error: problem(error.code or 500))
    blueprint.register_error_handler(NotFoundError, lambda error: problem(404))
    blueprint.register_error_handler(Exception, _fault)
    for trouble in DATABASE_TROUBLE:
        blueprint.register_error_handler(trouble, _database_trouble)


def _fault(error: Exception) -> Response:
    log.error("A request of the API broke", exc_info=error)
    return problem(500)


def _database_trouble(error: Exception) -> Response:
    is_full = is_out_of_room(error)
    what = "there is no room left for the database" if is_full else "the database does not answer"
    log.error("%s: %s", what, type(getattr(error, "orig", None) or error).__name__)
    db.session.remove()
    return problem(507 if is_full else 503, retry_after=RETRY_AFTER_SECONDS)
