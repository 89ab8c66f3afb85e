"""A day in five minutes: hundreds of discoveries and thousands of pages, and what of it stays behind.

A day is 2,000 discoveries and 100,000 requests, of which a run does a part; what memory grows by after warming up is
told by the hour of such a day. Retention keeps the last minute, as it keeps the last months in earnest.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from app.models.mixins import utc_now
from app.services.retention import prune_calls, prune_changes, prune_runs
from app.services.system_logs import prune_logs
from tests.chaos.browser import Answer, Browser, percentile, share_served, statuses
from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import Installation, free_port, installed, wait_until
from tests.chaos.report import Table
from tests.databases import Databases

FLEETS = tuple(ChurningFleet(instances=60, regions=2, account=number) for number in (1, 2))
SECONDS, SAMPLE_SECONDS, RETENTION = 300.0, 3.0, timedelta(seconds=60)
DAY_DISCOVERIES, DAY_REQUESTS = 2000, 100_000

#: What is measured before is warming up. Where a busy machine does not get so far, too few measurements are left to
#: tell a slope from noise.
WARM_DISCOVERIES, LEAST_SAMPLES = 320, 20
MEGABYTES_AN_HOUR = 1.0
PAGES = ("/", "/instances", "/accounts", "/instances?state=running&sort=-name", "/me")


class Sample(NamedTuple):
    """One look at the installation; `day` is the part of a day's work done until then."""

    day: float
    discoveries: int
    megabytes: dict[str, float]
    files: dict[str, int]
    database: float


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """Five minutes on SQLite with the folder broker."""
    with (
        serving(*FLEETS, page_size=40) as aws,
        installed(databases, "sqlite", folder / "here", aws, FLEETS) as here,
    ):
        return _Soak(here).run()


class _Soak:
    def __init__(self, here: Installation) -> None:
        self.here = here
        port = free_port()
        self.parts = {part: here.start(part, PORT=str(port)) for part in ("web", "worker", "scheduler")}
        self.browsers = [Browser(port) for _ in range(2)]
        self.answers: list[Answer] = []
        self.discoveries = 0
        self.samples: list[Sample] = []
        self.problems: list[str] = []
        self.is_over = threading.Event()

    def run(self) -> Table:
        for browser in self.browsers:
            assert wait_until(lambda: browser.get("/healthz").status == 200, seconds=30), "No web process"  # noqa: B023 - called at once
            assert browser.sign_in(self.here.username).status == 200
        threads = [threading.Thread(target=self._browse, args=[browser]) for browser in self.browsers]
        threads.append(threading.Thread(target=self._watch))
        for thread in threads:
            thread.start()
        until = time.monotonic() + SECONDS
        pruned_at = time.monotonic()
        try:
            while time.monotonic() < until:
                self._discover()
                if time.monotonic() - pruned_at > RETENTION.total_seconds() / 4:
                    self._prune()
                    pruned_at = time.monotonic()
        finally:
            self.is_over.set()
            for thread in threads:
                thread.join()
        return self._table()

    def _discover(self) -> None:
        # Among a few generations, so that all that may change does so again and again.
        self.here.become((self.here.fleets[0].generation + 1) % 10)
        ids = self.here.ask()
        if not wait_until(lambda: self.here.are_over(ids), seconds=30, every=0.05):
            self.problems.append("a discovery does not end")
        self.problems += [told for told in self.here.told(ids) if not told.startswith("succeeded")]
        self.discoveries += len(ids)

    def _prune(self) -> None:
        before = utc_now() - RETENTION
        with self.here.app.app_context():
            for prune in (prune_changes, prune_runs, prune_logs, prune_calls):
                prune(older_than=before)

    def _browse(self, browser: Browser) -> None:
        while not self.is_over.is_set():
            for page in PAGES:
                self.answers.append(browser.get(page))
            browser.seen.clear()

    def _watch(self) -> None:
        while not self.is_over.wait(SAMPLE_SECONDS):
            trees = {part: _tree(process.pid) for part, process in self.parts.items()}
            path = Path(urlsplit(self.here.config.database_url).path)
            self.samples.append(
                Sample(
                    self._day(),
                    self.discoveries,
                    {part: sum(map(_megabytes, tree)) for part, tree in trees.items()},
                    {part: sum(map(_files, tree)) for part, tree in trees.items()},
                    path.stat().st_size / 2**20,
                )
            )

    def _day(self) -> float:
        return (self.discoveries / DAY_DISCOVERIES + len(self.answers) / DAY_REQUESTS) / 2

    def _table(self) -> Table:
        warm = [sample for sample in self.samples if sample.discoveries >= WARM_DISCOVERIES]
        is_judged = len(warm) >= LEAST_SAMPLES
        warm = warm if is_judged else self.samples[-LEAST_SAMPLES:]
        table = Table(
            f"{self.discoveries} discoveries and {len(self.answers):,} pages: {self._day():.1%} of a day",
            ("of what", "when warm", "at the end", "by the hour of a day", "problems"),
        )
        for part in self.parts:
            found = [sample.megabytes[part] for sample in warm]
            slope = _slope([sample.day for sample in warm], found)
            own = [f"{part} grows by {slope:.1f} MB an hour"] if is_judged and slope > MEGABYTES_AN_HOUR else []
            table.add(
                (f"memory of {part}", f"{found[0]:.1f} MB", f"{found[-1]:.1f} MB", f"{slope:+.2f} MB", len(own)), own
            )
            # Some are open for a moment only: what counts is the least that is ever open.
            files = [sample.files[part] for sample in warm]
            first, last = min(files[: len(files) // 2]), min(files[len(files) // 2 :])
            own = [f"{part} has {last - first} more files open"] if last > first else []
            table.add((f"open files of {part}", first, last, "-", len(own)), own)
        sizes = [sample.database for sample in warm]
        grown = max(sizes) / sizes[0] - 1
        own = [f"the database grows by {grown:.0%}"] if grown > 0.1 else []
        table.add(("the database", f"{sizes[0]:.1f} MB", f"{sizes[-1]:.1f} MB", f"{grown:+.0%} at most", len(own)), own)
        own = [f"pages: {statuses(self.answers)}"] if share_served(self.answers) < 1 else []
        slowest = f"{percentile(self.answers, 0.95) * 1000:.0f} ms (95%)"
        table.add(("pages served", "-", f"{share_served(self.answers):.1%}", slowest, len(own)), own)
        if not is_judged:
            table.notes.append(
                f"fewer than {WARM_DISCOVERIES} discoveries and a minute: growth of memory is not judged"
            )
        table.problems += self.problems
        return table


def _slope(days: Sequence[float], values: Sequence[float]) -> float:
    """By the hour of a day, from a straight line through the measurements."""
    return statistics.linear_regression(days, values).slope / 24


def _tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _megabytes(pid: int) -> float:
    """Its share of memory that holds no file: forked processes have much in common, and with strangers only files."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _files(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0
