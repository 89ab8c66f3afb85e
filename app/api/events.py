"""Takes events that EventBridge sends to an API destination.

What is answered tells EventBridge what to do: it repeats after 401, 409, 429 and 5xx, and after nothing else. So what
cannot be used is refused with another code, and is not sent again.
"""

import json

from flask import Blueprint, Response, jsonify, request

from app.access import by_token
from app.api.problems import problem
from app.database import db, retry_transient
from app.errors import ForbiddenError, InvalidInputError
from app.models.types import EventOutcome
from app.services.events.parse import Event, parse_event
from app.services.events.take import take_event
from app.services.events.tokens import TOKEN_HEADER, find_account

blueprint = Blueprint("events", __name__, url_prefix="/api/v1/events")

#: EventBridge sends 256 KB at most; what EC2 says is below 2.
MAX_BYTES = 32 * 1024


@blueprint.post("")
@by_token
def receive() -> Response:
    """202 with what became of the event."""
    token = request.headers.get(TOKEN_HEADER, "")
    account_pk = find_account(token) if token else None
    db.session.rollback()
    if account_pk is None:
        return problem(401, "token", "Who is it?", f"Send the account's token in the header {TOKEN_HEADER}.")
    if (request.content_length or 0) > MAX_BYTES:
        return problem(413, "too_large", "Too large", f"An event has at most {MAX_BYTES:,} bytes here.")
    try:
        event = parse_event(json.loads(request.get_data(cache=False)))
        outcome = _take(account_pk, event)
    except InvalidInputError as error:
        return problem(400, f"event.{error.field}", "Not an event", str(error))
    except (ValueError, RecursionError):
        return problem(400, "event.body", "Not an event", "The body is not JSON.")
    except ForbiddenError as error:
        return problem(403, "foreign_account", "Not this account's", str(error))
    response = jsonify({"outcome": outcome.value})
    response.status_code = 202
    return response


@retry_transient
def _take(account_pk: int, event: Event) -> EventOutcome:
    try:
        outcome = take_event(account_pk, event)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    return outcome
