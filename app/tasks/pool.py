"""A pool of processes that outlives the sudden death of one of them.

Where Celery waits for its broker without an event loop (the folder), an idle process of its pool holds a lock while it
waits for work. Killed then, by the kernel's hand when memory runs out or anybody else's, it would take the lock with
it, and the worker would take up messages for ever and do none. These locks the kernel takes back from the dead.
"""

import fcntl
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from billiard.pool import Pool
from celery.concurrency.prefork import TaskPool


class KernelLock:
    """A lock between processes that were forked from one, free again when its holder ends, however that happens.

    Not between threads of one process: there, everybody would get it.
    """

    def __init__(self) -> None:
        # Without a name, and never closed: closing any descriptor of the file would free a lock held on it.
        self._file, name = tempfile.mkstemp(prefix="spotkeeper-lock-")
        Path(name).unlink()

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Whether it was got; with `block`, always. `timeout` is not for us: nobody here asks for one."""
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX if block else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.lockf(self._file, fcntl.LOCK_UN)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.release()


class SturdyPool(Pool):
    """billiard's pool with such locks on its two queues."""

    _inqueue: Any
    _outqueue: Any

    def _setup_queues(self) -> None:
        super()._setup_queues()  # type: ignore[misc]  # the stubs leave out what has an underscore
        self._inqueue._rlock = KernelLock()
        self._outqueue._wlock = KernelLock()


class SturdyTaskPool(TaskPool):
    """Celery's, with that pool where it has no event loop; where it has one, no process holds a lock."""

    BlockingPool = SturdyPool
