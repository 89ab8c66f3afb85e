"""Refusals and faults as pages: what happened, what to do, and the id to quote; never a traceback."""

import logging
from dataclasses import dataclass
from http import HTTPStatus

from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from markupsafe import escape
from werkzeug.exceptions import HTTPException

from app.database import DATABASE_TROUBLE, db, expect_reads_only, is_out_of_room
from app.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.web.access import is_partial_request, sign_in_address
from app.web.headers import request_id
from app.web.navigation import home_url

log = logging.getLogger("app.web")

RETRY_AFTER_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Words:
    """What an error page says."""

    title: str
    message: str
    remedy: str


WORDS = {
    400: Words(
        "That request was not understood",
        "Something in it does not fit what this page expects.",
        "Go back, reload the page and try again.",
    ),
    401: Words("Please sign in", "Your session has ended, or you have not signed in yet.", "Sign in and try again."),
    403: Words(
        "You may not do this",
        "Your role does not include this page or this act.",
        "Ask a super admin when you need it.",
    ),
    404: Words(
        "There is nothing here",
        "The address is wrong, or what it named is gone or not yours to see.",
        "Check the address, or start from the overview.",
    ),
    405: Words(
        "Not in this way",
        "This address does not take requests of that kind.",
        "Go back and use the page's own buttons.",
    ),
    409: Words("That has changed meanwhile", "What is stored has moved on.", "Reload the page and look again."),
    413: Words("That is too much at once", "The request is larger than one megabyte.", "Send less, and try again."),
    429: Words("Too many tries", "There were too many tries in a short time.", "Wait a few minutes and try again."),
    500: Words(
        "Something broke on our side",
        "This was not your fault; nothing was saved.",
        "Try again. If it stays broken, give the request id to whoever runs this installation.",
    ),
    503: Words(
        "The database does not answer",
        "Spotkeeper is running, but cannot reach its data; nothing was saved.",
        "It tries again with each request: reload in a few seconds.",
    ),
    507: Words(
        "There is no room left",
        "The disk that holds Spotkeeper's data is full, so nothing was saved. What is known can still be looked at.",
        "Tell whoever runs this installation. As soon as there is room again, it goes on by itself.",
    ),
}

CSRF_WORDS = Words(
    "This form has expired",
    "It was opened in an earlier session, in another browser, or its protection against forged requests is missing.",
    "Nothing was changed. Go back, reload the page and send it again.",
)


def register_errors(app: Flask) -> None:
    """Every refusal and fault of every page, known and unknown route alike, ends in these."""
    app.register_error_handler(CSRFError, lambda error: answer(400, CSRF_WORDS))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(NotFoundError, lambda error: answer(404))
    app.register_error_handler(ForbiddenError, lambda error: answer(403, _with_message(403, str(error))))
    app.register_error_handler(ConflictError, lambda error: answer(409, _with_message(409, str(error))))
    app.register_error_handler(InvalidInputError, lambda error: answer(400, _with_message(400, str(error))))
    for trouble in DATABASE_TROUBLE:
        app.register_error_handler(trouble, _database_trouble)


def answer(status: int, words: Words | None = None) -> Response:
    """The page (or the JSON problem, RFC 9457) for a status; whatever the request had begun is rolled back."""
    words = (
        words
        or WORDS.get(status)
        or Words(HTTPStatus(status).phrase, "The request was refused.", "Go back and try again.")
    )
    _roll_back()
    best = request.accept_mimetypes.best_match(
        ["text/html", "application/json", "application/problem+json"], "text/html"
    )
    if best != "text/html" or request.path.startswith("/api/"):
        response = jsonify(
            {
                "type": "about:blank",
                "title": words.title,
                "status": status,
                "detail": f"{words.message} {words.remedy}",
                "request_id": request_id(),
            }
        )
        response.mimetype = "application/problem+json"
    else:
        response = make_response(_page(status, words))
    response.status_code = status
    if status in {503, 507}:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status == 401 and is_partial_request():
        response.headers["HX-Redirect"] = sign_in_address()
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None or status < 400:
        return make_response(error.get_response())
    # Only words that our own code chose are shown; Werkzeug's may repeat what was sent.
    own = error.description if status == 400 and str(error.description).startswith("This request") else None
    response = answer(status, _with_message(status, own) if own else None)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _database_trouble(error: Exception) -> Response:
    if is_out_of_room(error):
        log.error("there is no room left for the database")
        return answer(507)
    g.is_without_viewer = True
    log.error("the database does not answer: %s", type(getattr(error, "orig", None) or error).__name__)
    return answer(503)


def _with_message(status: int, message: str) -> Words:
    return Words(WORDS[status].title, message or WORDS[status].message, WORDS[status].remedy)


def _roll_back() -> None:
    expect_reads_only(True)  # what follows only asks who is looking
    try:
        db.session.rollback()
    except DATABASE_TROUBLE:
        db.session.remove()
        g.is_without_viewer = True


def _page(status: int, words: Words) -> str:
    try:
        return render_template(
            "errors/error.html",
            status=status,
            title=words.title,
            message=words.message,
            remedy=words.remedy,
            request_id=request_id(),
            home_url=home_url(),
        )
    except Exception:
        # The frame of the page is what broke, or the database went away meanwhile.
        log.exception("the error page could not be rendered")
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(words.title)}</title></head>'
            f"<body><main><h1>{escape(words.title)}</h1><p>{escape(words.message)} {escape(words.remedy)}</p>"
            f"<p>Request {request_id()}</p></main></body></html>"
        )
