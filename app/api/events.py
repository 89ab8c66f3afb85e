"""Takes events that EventBridge sends to an API destination.

What is answered tells EventBridge what to do: it repeats after 401, 409, 429 and 5xx, and after nothing else. So what
cannot be used is refused with another code, and is not sent again.
"""

import logging

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from app.access import by_token
from app.api.pace import Pace
from app.api.problems import problem, register_problems
from app.database import db, expect_reads_only, retry_transient
from app.errors import ForbiddenError
from app.services import system_logs
from app.services.events.parse import MAX_BYTES, Event, EventError, read_event
from app.services.events.take import Taken, take_event
from app.services.events.tokens import TOKEN_HEADER, find_account

blueprint = Blueprint("events", __name__, url_prefix="/api/v1/events")
register_problems(blueprint)

log = logging.getLogger("app.api")

#: Events of one account in one web process. EventBridge is told to go slower, and tries again what is refused.
pace = Pace(burst=300, per_second=100)


@blueprint.post("")
@by_token
def receive() -> ResponseReturnValue:
    """202 with what became of the event."""
    request.max_content_length = MAX_BYTES
    account_pk = _authenticate()
    if account_pk is None:
        return problem(401)
    system_logs.acting_account_id.set(account_pk)
    if not pace.take(account_pk):
        return problem(429, "too_many_requests", "Too many events in a short time.", retry_after=1)
    if not request.is_json:
        return problem(415)
    try:
        taken = _take(account_pk, read_event(request.get_data()))
    except EventError as error:
        log.warning("An event was refused: %s", error)
        return problem(400, "invalid_event", str(error))
    except ForbiddenError as error:
        # The same for every other account, whether anybody here has it or not.
        return problem(403, "foreign_account", str(error))
    return _answer(taken)


def _authenticate() -> int | None:
    """Whose secret it is. The body waits: nothing is read, and nothing locked, for strangers or slow senders."""
    expect_reads_only(True)
    account_pk = find_account(request.headers.get(TOKEN_HEADER, ""))
    db.session.rollback()
    expect_reads_only(False)
    return account_pk


@retry_transient
def _take(account_pk: int, event: Event) -> Taken:
    try:
        taken = take_event(account_pk, event)
        db.session.commit()
    except Exception:
        db.session.rollback()
        raise
    return taken


def _answer(taken: Taken) -> Response:
    response = jsonify({"outcome": taken.outcome.value, "is_duplicate": taken.is_duplicate})
    response.status_code = 202
    return response
