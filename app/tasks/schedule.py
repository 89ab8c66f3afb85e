"""Says when and why: a loop of its own that queues what is due and rings again for what was missed.

Not Celery's beat, which would send a message through the broker to have this done: what heals a broker's failure must
not hang on the broker. A tick may be run by several schedulers at once: each thing is still queued once.
"""

import logging
import threading
import time

from flask import Flask, current_app

from app.config import Config
from app.database import db
from app.services.accounts.permissions import enqueue_permission_checks
from app.services.rules.calendar import keep_calendar
from app.services.runs import Wake, reap
from app.services.runs.due import enqueue_due_accounts, enqueue_event_poll, enqueue_identity_check, enqueue_pruning
from app.tasks.celery_app import queue_of
from app.tasks.doorbell import Doorbell, current_doorbell

logger = logging.getLogger(__name__)

#: The installation's own AWS identity changes when somebody changes its role or keys: noticed within this time.
IDENTITY_SECONDS = 900
PRUNING_SECONDS = 86_400
#: Policies change seldom; a person who has changed one asks at once.
PERMISSIONS_SECONDS = 86_400

#: A run that was rung for and is still not at work may only be waiting for its turn: not rung for again so soon.
RING_AGAIN_SECONDS = 15

#: With so many messages waiting, more would wake nobody: the workers are busy, or there are none.
ENOUGH_MESSAGES = 200


class Scheduler:
    """`tick()` does what is due now. What it remembers is only when it last rang."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._rung: dict[Wake, float] = {}

    def tick(self) -> None:
        """One turn; needs an application context.

        Raises:
            SQLAlchemyError: the database is away; the next turn does it all.
        """
        enqueue_due_accounts(interval_seconds=self.config.discovery_interval_seconds)
        enqueue_permission_checks(every_seconds=PERMISSIONS_SECONDS)
        enqueue_identity_check(every_seconds=IDENTITY_SECONDS)
        enqueue_pruning(every_seconds=PRUNING_SECONDS)
        keep_calendar()
        if self.config.event_queue_url:
            enqueue_event_poll()
        self.ring_again()

    def ring_again(self) -> list[Wake]:
        """Ring for the runs that should be at work and are not; returns those that were rung for."""
        waiting = reap()
        db.session.rollback()
        now = time.monotonic()
        self._rung = {wake: at for wake, at in self._rung.items() if wake in waiting}
        wakes = [wake for wake in waiting if now - self._rung.get(wake, float("-inf")) >= RING_AGAIN_SECONDS]
        doorbell = current_doorbell()
        if wakes:
            full = self._full_queues(doorbell)
            wakes = [wake for wake in wakes if queue_of(self.config, wake) not in full]
        if not wakes or not doorbell.ring(wakes):
            return []
        self._rung |= dict.fromkeys(wakes, now)
        return wakes

    def _full_queues(self, doorbell: Doorbell) -> set[str]:
        try:
            return {queue for queue, count in doorbell.backlog().items() if count >= ENOUGH_MESSAGES}
        except Exception:  # as in `Doorbell.ring`, which will say it
            return set()


def ring_for_left_behind() -> None:
    """For a worker about to begin: wake it for what its predecessor may have died with, and close the connections,
    for the worker is about to fork."""
    Scheduler(current_app.extensions["spotkeeper"]).ring_again()
    db.session.remove()
    db.engine.dispose()


def run_scheduler(app: Flask, *, every_seconds: float, stop: threading.Event) -> None:
    """Tick until told to stop; a tick that fails is logged and does not end the loop."""
    scheduler = Scheduler(app.extensions["spotkeeper"])
    while not stop.is_set():
        try:
            with app.app_context():
                scheduler.tick()
        except Exception:
            logger.exception("A turn of the scheduler failed")
        stop.wait(every_seconds)
