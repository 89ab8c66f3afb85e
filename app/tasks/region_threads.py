"""Threads that read an account's regions at once, and the short queue by which their pages come to the job.

Threads hide the network's latency, and a slow region holds up no other. The queue is short, so that memory holds a few
pages and never the fleet: a thread that has read one waits until it is wanted.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Full, Queue
from types import TracebackType
from typing import Any, Self

from app.aws import ec2
from app.aws.credentials import CredentialProvider
from app.aws.ec2 import PageRead
from app.aws.meter import CallMeter
from app.aws.records import RegionRead, RegionUnread

#: How often those who wait look up, in seconds.
PATIENCE = 0.5


class StoppedError(Exception):
    """Nobody wants the rest of this region."""


class RegionThreads:
    """The reading of some regions; a context manager that asks its threads to end, and does not wait for AWS."""

    def __init__(
        self, provider: CredentialProvider, regions: Sequence[str], *, threads: int, meter: CallMeter, deadline: float
    ) -> None:
        self.began: dict[str, float] = {}
        """When the reading of a region began, by `time.monotonic()`."""

        self._provider = provider
        self._regions = regions
        self._limits: dict[str, Any] = {"meter": meter, "deadline": deadline}
        self._given_up: set[str] = set()
        self._stop = threading.Event()
        self._told: Queue[PageRead | RegionRead | RegionUnread | Exception] = Queue(maxsize=1)
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="region")

    def tell(self) -> Iterator[PageRead | RegionRead | RegionUnread | None]:
        """Every page as it comes, and after its last page each region's end; None now and then while there is nothing.

        Raises:
            Exception: what went wrong in a thread and is no fault of AWS's.
        """
        for region in self._regions:
            self._pool.submit(self._read, region)
        ended = 0
        while ended < len(self._regions):
            try:
                told = self._told.get(timeout=PATIENCE)
            except Empty:
                yield None
                continue
            if isinstance(told, Exception):
                raise told
            ended += isinstance(told, RegionRead | RegionUnread)
            yield told
            del told  # a page is the most memory that there is

    def give_up(self, region: str) -> None:
        """Read no further page of a region; its end is still told."""
        self._given_up.add(region)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, region: str) -> None:
        self.began[region] = time.monotonic()
        try:
            end: RegionRead | RegionUnread | Exception = ec2.read_region(
                self._provider, region, on_page=self._on_page, **self._limits
            )
        except StoppedError:
            return
        except Exception as error:  # it belongs to the job, which is another thread
            end = error
        self._put(end)

    def _on_page(self, page: PageRead) -> None:
        if page.region not in self._given_up:
            self._put(page)

    def _put(self, told: PageRead | RegionRead | RegionUnread | Exception) -> None:
        while True:
            if self._stop.is_set():
                raise StoppedError
            try:
                return self._told.put(told, timeout=PATIENCE)
            except Full:
                continue
