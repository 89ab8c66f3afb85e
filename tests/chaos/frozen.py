"""Databases that are frozen, cut off or restarted under a discovery and under the web process."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.chaos.fleet import serving
from tests.chaos.installation import (
    DEFAULT_PORTS,
    Installation,
    free_port,
    place_of,
    status_of,
    through,
    wait_until,
)
from tests.chaos.kills import FLEETS, PAGE_SIZE, SLOWEST_SECONDS
from tests.chaos.proxy import HOST, Proxy
from tests.chaos.report import Table, spread
from tests.databases import KINDS, Databases

#: How long the database does not answer, in seconds.
FROZEN_SECONDS = 30.0

#: Within this time the web process says 503 meanwhile, and 200 afterwards.
ANSWER_SECONDS, RECOVERY_SECONDS = 10.0, 5.0


def run(databases: Databases, folder: Path, count: int) -> Table:
    """Each mistreatment on each database, a twentieth of `count` times, at least once."""
    times = max(count // 20, 1)
    table = Table(
        "databases: frozen, cut off, restarted",
        (
            *("database", "what was done", "times", "discoveries over after (median / most)"),
            *("page meanwhile (slowest)", "page afterwards (slowest)", "problems"),
        ),
    )
    for kind in KINDS:
        with serving(*FLEETS, slowest_seconds=SLOWEST_SECONDS, page_size=PAGE_SIZE) as aws:
            url = databases.create(kind)
            here = Installation(folder / kind, url, aws, FLEETS)
            try:
                _Database(here, kind).run(table, times)
            finally:
                here.close()
    return table


class _Database:
    def __init__(self, here: Installation, kind: str) -> None:
        self.here, self.kind = here, kind
        self.page = f"http://127.0.0.1:{(port := free_port())}/readyz"
        self.port = port

    def run(self, table: Table, times: int) -> None:
        url = self.here.config.database_url
        target = place_of(url, DEFAULT_PORTS[self.kind]) if self.kind in DEFAULT_PORTS else None
        with Proxy(target) if target else nullcontext() as wire:
            env = {"DATABASE_URL": through(url, HOST, wire.port)} if wire else {}
            self.here.start("scheduler", **env)
            self.here.start("worker", **env)
            self.here.start("web", PORT=str(self.port), **env)
            ids = self.here.ask()
            assert self.here.wait_for(ids, seconds=90), "The first discovery does not end"
            self.here.discovered()
            assert wait_until(lambda: status_of(self.page) == 200, seconds=30), "The web process does not answer"
            if wire is None:
                self._do(table, times, f"locked for {FROZEN_SECONDS:.0f} s", lambda: _locked(url), frozen=True)
                return
            words = f"frozen for {FROZEN_SECONDS:.0f} s"
            self._do(table, times, words, lambda: _frozen(wire), frozen=True)
            self._do(table, times, "all connections cut", lambda: _cut(wire, 0), frozen=False)
            self._do(table, times, "restarted, away for 5 s", lambda: _cut(wire, 5), frozen=False)

    def _do(self, table: Table, times: int, words: str, mistreat: object, *, frozen: bool) -> None:
        durations, meanwhile, afterwards = [], [0.0], [0.0]
        problems: list[str] = []
        for _ in range(times):
            self.here.become(self.here.fleets[0].generation + 1)
            ids = self.here.ask()
            wait_until(lambda: self.here.is_begun(ids), seconds=10, every=0.02)  # noqa: B023 - called at once
            time.sleep(0.5)
            began_at = time.monotonic()
            with mistreat():  # type: ignore[operator]
                if frozen:
                    asked_at = time.monotonic()
                    status = status_of(self.page, timeout=FROZEN_SECONDS)
                    meanwhile.append(time.monotonic() - asked_at)
                    # SQLite is locked for writers only: who reads is served.
                    if status not in ({200, 503} if self.kind == "sqlite" else {503}):
                        problems.append(f"the page meanwhile: {status}")
                    if meanwhile[-1] > ANSWER_SECONDS:
                        problems.append(f"the page meanwhile took {meanwhile[-1]:.0f} s")
            back_at = time.monotonic()
            if not wait_until(lambda: status_of(self.page) == 200, seconds=30):
                problems.append("no page afterwards")
            afterwards.append(time.monotonic() - back_at)
            if afterwards[-1] > RECOVERY_SECONDS:
                problems.append(f"the page afterwards took {afterwards[-1]:.0f} s")
            if not self.here.wait_for(ids, seconds=120):
                problems.append("the discoveries do not end")
            durations.append(time.monotonic() - began_at)
            self.here.discovered()
            problems += self.here.problems()
        table.add(
            (
                *(self.kind, words, times, spread(durations), f"{max(meanwhile):.1f} s" if frozen else "-"),
                *(f"{max(afterwards):.1f} s", len(problems)),
            ),
            [f"{self.kind}, {words}: {problem}" for problem in problems],
        )


@contextmanager
def _frozen(wire: Proxy) -> Iterator[None]:
    """Until FROZEN_SECONDS are over, whatever the block takes."""
    wire.freeze()
    thawing = threading.Timer(FROZEN_SECONDS, wire.thaw)
    thawing.start()
    try:
        yield
    finally:
        thawing.join()


@contextmanager
def _cut(wire: Proxy, seconds: float) -> Iterator[None]:
    wire.refuse()
    time.sleep(seconds)
    wire.admit()
    yield


@contextmanager
def _locked(url: str) -> Iterator[None]:
    """As by a backup, or by a disk that does not answer: nobody may write."""
    with closing(sqlite3.connect(str(make_url(url).database), timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        ends_at = time.monotonic() + FROZEN_SECONDS
        try:
            yield
        finally:
            time.sleep(max(ends_at - time.monotonic(), 0))
            connection.execute("ROLLBACK")
