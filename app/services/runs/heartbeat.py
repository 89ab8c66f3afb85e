"""Keeps a lease alive from a thread of its own while the handler works."""

import logging
import threading
import time
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from app.errors import LeaseLostError
from app.services.runs.lease import Lease

logger = logging.getLogger(__name__)

#: A job that takes longer than this is no longer kept alive: it hangs, and another worker should try.
MAX_SECONDS = 900


class Heartbeat:
    """`with Heartbeat(lease):` renews the lease each third of its length, on its own connection."""

    def __init__(self, lease: Lease, *, max_seconds: float = MAX_SECONDS) -> None:
        self.lease = lease
        self.ends_at = time.monotonic() + max_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{lease.run_id}", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._stop.set()
        # Not for ever: it may be waiting for a database that has gone away, and it can do no harm.
        self._thread.join(timeout=self.lease.seconds)

    def _beat(self) -> None:
        wait = self.lease.seconds / 3
        while not self._stop.wait(wait):
            if time.monotonic() > self.ends_at:
                logger.error("Run %s is at work for too long: its lease is left to end", self.lease.run_id)
                return
            try:
                self.lease.keep()
                wait = self.lease.seconds / 3
            except LeaseLostError:
                return
            except SQLAlchemyError as error:
                # The database may be back before the lease ends.
                logger.warning("Could not renew the lease of run %s: %s", self.lease.run_id, type(error).__name__)
                wait = self.lease.seconds / 10
