"""kill -9 of worker, scheduler and web at random moments of a discovery, each with something to write."""

import random
import subprocess
import time
from pathlib import Path

from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import (
    Installation,
    broker_url,
    free_port,
    installed,
    kill,
    kill_child,
    status_of,
    wait_until,
)
from tests.chaos.report import Table, spread
from tests.databases import Databases

PARTS = ("worker", "scheduler", "web")

#: Which broker goes with which database, so that all are seen and the time stays bounded.
PAIRS = (("sqlite", "folder"), ("postgresql", "rabbitmq"), ("mariadb", "redis"))

FLEETS = (
    ChurningFleet(instances=600, regions=4, account=1),
    ChurningFleet(instances=300, regions=2, account=2),
)
#: A page takes up to this long, so that a discovery lasts a second or two, of which a good part is writing.
SLOWEST_SECONDS, PAGE_SIZE = 0.3, 60

#: Within this time a page is served again after the web process was started anew.
WEB_SECONDS = 5.0


def run(databases: Databases, folder: Path, count: int) -> Table:
    """So many kills of each part on each database."""
    table = Table(
        f"kill -9 at random moments of a discovery ({sum(fleet.instances for fleet in FLEETS)} instances, 2 accounts)",
        ("database", "broker", "killed", "times", "recovered", "over after (median / most)", "taken over", "problems"),
    )
    for kind, broker in PAIRS:
        with (
            serving(*FLEETS, slowest_seconds=SLOWEST_SECONDS, page_size=PAGE_SIZE) as aws,
            installed(databases, kind, folder / kind, aws, FLEETS, BROKER_URL=broker_url(broker)) as here,
        ):
            Kills(here, kind, broker).run(table, count)
    return table


class Kills:
    """All kills on one installation: one history, which must be exact at its end."""

    def __init__(self, here: Installation, kind: str, broker: str) -> None:
        self.here, self.kind, self.broker = here, kind, broker
        self.port = free_port()
        self.parts = {part: self._start(part) for part in PARTS}
        self.generation = 0

    def run(self, table: Table, count: int) -> None:
        ids = self.here.ask()
        assert self.here.wait_for(ids, seconds=90), "The first discovery does not end"
        self.here.discovered()
        assert self.here.problems() == [], self.here.problems()
        assert wait_until(self._is_web_up, seconds=30), "The web process does not answer"
        for part in PARTS:
            self._kill_often(table, part, count)

    def _kill_often(self, table: Table, part: str, count: int) -> None:
        durations: list[float] = []
        problems: list[str] = []
        recovered = taken_over = 0
        for number in range(1, count + 1):
            seconds, found, attempts = self._kill_once(part)
            durations.append(seconds)
            taken_over += attempts > 1
            recovered += not found
            problems += [f"{self.kind}, {part} killed, {number}: {problem}" for problem in found]
        table.add(
            (
                *(self.kind, self.broker, part, count),
                *(f"{recovered}/{count}", spread(durations), taken_over, len(problems)),
            ),
            problems,
        )

    def _kill_once(self, part: str) -> tuple[float, list[str], int]:
        """(Seconds from the kill to the end, problems, most attempts.)"""
        self.generation += 1
        self.here.become(self.generation)
        ids = self.here.ask()
        wait_until(lambda: self.here.is_begun(ids), seconds=10, every=0.02)
        time.sleep(random.uniform(0, 1.5))
        victim = self.parts[part]
        killed_at = time.monotonic()
        # Half of the time one process of the pool dies alone, as by the kernel's hand when memory runs out.
        is_whole = part != "worker" or random.random() < 0.5 or not kill_child(victim)
        if is_whole:
            kill(victim)
            self.parts[part] = self._start(part)
        problems = []
        if not self.here.wait_for(ids, seconds=60):
            problems.append("the discoveries do not end")
        seconds = time.monotonic() - killed_at
        if part == "web":
            wait_until(self._is_web_up, seconds=WEB_SECONDS + 10)
            if not all(self._is_web_up() for _ in range(5)):
                problems.append(f"the web process answers {status_of(self._url())}")
        self.here.discovered()
        return seconds, problems + self.here.problems(), self.here.most_attempts(ids)

    def _start(self, part: str) -> subprocess.Popen[bytes]:
        return self.here.start(part, **({"PORT": str(self.port)} if part == "web" else {}))

    def _url(self) -> str:
        return f"http://127.0.0.1:{self.port}/readyz"

    def _is_web_up(self) -> bool:
        return status_of(self._url(), timeout=5) == 200
