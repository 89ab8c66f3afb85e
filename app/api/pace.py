"""How fast each caller may go: a bucket that fills by itself, in this process alone.

It keeps a caller that has gone wild from the database; it is no count that anybody relies on, so it needs none.
"""

import threading
import time
from collections.abc import Callable, Hashable

#: Buckets that are full again are forgotten when there are so many.
MANY = 10_000


class Pace:
    """`burst` at once, and `per_second` from then on, for each key."""

    def __init__(self, *, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.burst = burst
        self.per_second = per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[Hashable, tuple[float, float]] = {}

    def take(self, key: Hashable) -> bool:
        """Whether one more may go on now."""
        with self._lock:
            now = self._clock()
            if len(self._left) >= MANY:
                self._forget(now)
            left = self._now(key, now)
            self._left[key] = (left - 1 if left >= 1 else left, now)
            return left >= 1

    def _now(self, key: Hashable, now: float) -> float:
        left, then = self._left.get(key, (self.burst, now))
        return min(self.burst, left + (now - then) * self.per_second)

    def _forget(self, now: float) -> None:
        self._left = {key: kept for key, kept in self._left.items() if self._now(key, now) < self.burst}
