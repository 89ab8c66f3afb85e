"""Wakes workers through the broker once a transaction that queued runs has been committed.

Ringing may fail without harm: the run is in the ledger, and the scheduler rings again. So a broker that is down
delays a request by a second at most, and only one request in `QUIET_SECONDS`.
"""

import logging
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app, has_app_context
from sqlalchemy import event
from sqlalchemy.orm import Session

from app.config import Config
from app.services.runs import Wake
from app.services.runs.wakes import take_wakes

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)

EXTENSION = "spotkeeper_doorbell"

#: After a failure, how long nothing is rung, in seconds.
QUIET_SECONDS = 10


class Doorbell:
    """The ringing side of the broker. Celery is imported by the first ring, to keep it out of a web process's start."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._celery: Celery | None = None
        self._lock = threading.Lock()
        self._quiet_until = 0.0

    def ring(self, wakes: Iterable[Wake]) -> bool:
        """Send one message for each run; False when the broker did not take them all. Never raises."""
        if time.monotonic() < self._quiet_until:
            return False
        try:
            for wake in wakes:
                self._send(wake)
        except Exception as error:  # the broker's client libraries agree on no common base
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            logger.warning(
                "The broker takes no messages (%s); the scheduler will ring again for what is queued",
                type(error).__name__,
            )
            return False
        return True

    def backlog(self) -> dict[str, int]:
        """How many messages wait in each queue.

        Raises:
            Exception: whatever the broker's client library raises when it cannot be reached.
        """
        from app.tasks.celery_app import queue_names

        with self.celery.connection_for_write() as connection:
            channel: Any = connection.default_channel
            return {
                name: channel.queue_declare(queue=name, durable=True, auto_delete=False).message_count
                for name in queue_names(self.config)
            }

    @property
    def celery(self) -> "Celery":
        with self._lock:
            if self._celery is None:
                from app.tasks.celery_app import make_celery

                self._celery = make_celery(self.config, for_worker=False)
            return self._celery

    def _send(self, wake: Wake) -> None:
        from app.tasks.celery_app import TASK, queue_of

        self.celery.send_task(
            TASK,
            args=[wake.run_id],
            queue=queue_of(self.config, wake),
            # Once more at once, because a pooled connection may be stale after the broker's restart.
            retry=True,
            retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0},
        )


def configure_doorbell(app: Flask, config: Config) -> None:
    """Ring after each commit that queued something."""
    app.extensions[EXTENSION] = Doorbell(config)


def current_doorbell() -> Doorbell:
    """The doorbell of the application at work."""
    doorbell = current_app.extensions[EXTENSION]
    assert isinstance(doorbell, Doorbell)
    return doorbell


def broker_is_reachable(config: Config, timeout_seconds: float = 1) -> bool:
    """Whether the broker answers within about that time."""
    from app.tasks.celery_app import make_celery

    half = timeout_seconds / 2  # it is tried twice, because the first may meet a connection just closed
    try:
        with make_celery(config, for_worker=False).connection_for_write(connect_timeout=half) as connection:
            # By itself it would wait two seconds between the two.
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
    except Exception:  # as in `ring`
        return False
    return True


@event.listens_for(Session, "after_commit")
def _ring_after_commit(session: Session) -> None:
    # The end of a savepoint comes here too, and nobody else can see its rows yet.
    if session.in_nested_transaction():
        return
    wakes = take_wakes(session)
    if wakes and has_app_context():
        current_doorbell().ring(wakes)


@event.listens_for(Session, "after_rollback")
def _forget_after_rollback(session: Session) -> None:
    if not session.in_nested_transaction():
        take_wakes(session)
