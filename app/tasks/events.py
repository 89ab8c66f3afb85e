"""The job that empties the operator's event queue: each message is forgotten only once what it told is committed."""

import logging
import time
from collections import Counter

from flask import current_app

from app.aws.queue import Message, open_queue
from app.config import Config
from app.database import db, retry_transient
from app.errors import AwsFault, ForbiddenError, NotFoundError
from app.services.events.parse import Event, EventError, read_message
from app.services.events.take import take_event
from app.services.events.tokens import find_account_by_aws_id
from app.services.runs import Lease, Outcome

logger = logging.getLogger(__name__)

#: How long SQS is asked to wait for a first message. Short: a worker that waits does nothing else.
WAIT_SECONDS = 1

#: How long one turn takes at most, so that other jobs have theirs.
TURN_SECONDS = 15

#: Between two turns while the queue is empty.
PAUSE_SECONDS = 5

#: After a queue that could not be read.
FAULT_SECONDS = 60

MALFORMED, FOREIGN = "malformed", "foreign"


def poll_events(lease: Lease) -> Outcome:
    """Take what is in the queue, and queue this same run again: one row, however often the queue is looked at."""
    config: Config = current_app.extensions["spotkeeper"]
    if not config.event_queue_url:
        return Outcome.succeeded({})  # the setting was taken away while this was queued
    try:
        return _turn(lease, config.event_queue_url)
    except AwsFault as fault:
        db.session.rollback()
        words = f"The event queue cannot be read: {fault}"
        logger.warning(words, extra={"aws_code": fault.aws_code, "aws_request_id": fault.request_id})
        return Outcome.again(in_seconds=FAULT_SECONDS, text=words)


def _turn(lease: Lease, url: str) -> Outcome:
    counts: Counter[str] = Counter()
    until = time.monotonic() + TURN_SECONDS
    with open_queue(url) as queue:
        while messages := queue.receive(wait_seconds=WAIT_SECONDS):
            for message in messages:
                counts[_settle(lease, message)] += 1
            queue.delete(messages)
            if time.monotonic() >= until:
                return _again(counts, in_seconds=0)
    return _again(counts, in_seconds=PAUSE_SECONDS)


def _again(counts: Counter[str], *, in_seconds: float) -> Outcome:
    if counts:
        logger.info("Events were taken from the queue", extra=dict(counts))
    return Outcome.again(in_seconds=in_seconds)


def _settle(lease: Lease, message: Message) -> str:
    """Take one message; what becomes of it in a word.

    What is no event never will be: it is logged and forgotten, for otherwise it would come for ever.
    """
    try:
        return _take(lease, read_message(message.body))
    except EventError as error:
        logger.warning("A message of the event queue was dropped: %s", error, extra={"message_id": message.message_id})
        return MALFORMED
    except (ForbiddenError, NotFoundError):
        return FOREIGN  # of an account that is not connected here, or no longer


@retry_transient
def _take(lease: Lease, event: Event) -> str:
    try:
        lease.hold()
        account_pk = find_account_by_aws_id(event.account_id)
        if account_pk is None:
            raise NotFoundError("No such account is connected.")
        taken = take_event(account_pk, event)
        db.session.commit()
    except Exception:
        db.session.rollback()
        raise
    return taken.outcome.value
