"""SIGTERM to all processes of a worker in the middle of a discovery: handed back in time, and done by another."""

import signal
import subprocess
import time
from pathlib import Path

from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import broker_url, installed, kill, wait_until
from tests.chaos.kills import PAIRS
from tests.chaos.report import Table, spread
from tests.databases import Databases

#: What operators are told to allow.
STOP_SECONDS = 30.0

#: So slow that a discovery cannot end within the grace: one thread, 20 pages of two seconds.
FLEET = ChurningFleet(instances=400, regions=4)
PAGE_SIZE, SLOWEST_SECONDS = 20, 4.0


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """One stop on each database."""
    table = Table(
        "SIGTERM in the middle of a discovery that takes long",
        ("database", "broker", "the worker ended after", "with", "handed back", "then over after", "problems"),
    )
    for kind, broker in PAIRS:
        with (
            serving(FLEET, slowest_seconds=SLOWEST_SECONDS, page_size=PAGE_SIZE) as aws,
            installed(databases, kind, folder / kind, aws, [FLEET], BROKER_URL=broker_url(broker)) as here,
        ):
            here.start("scheduler")
            worker = here.start("worker", REGION_THREADS="1", LEASE_SECONDS="120")
            ids = here.ask()
            problems = []
            assert wait_until(lambda: here.is_begun(ids), seconds=30)  # noqa: B023 - called at once
            time.sleep(3)
            began_at = time.monotonic()
            kill(worker, signal.SIGTERM)
            try:
                worker.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                problems.append(f"{kind}: the worker still lives after {STOP_SECONDS:.0f} s")
            stopped = time.monotonic() - began_at
            is_queued = not here.is_begun(ids) and not here.are_over(ids)
            if not is_queued:
                problems.append(f"{kind}: the run was not handed back")
            # Its lease would have lasted for two minutes: that it is begun now shows that it was given up.
            here.start("worker", REGION_THREADS="4")
            began_at = time.monotonic()
            if not here.wait_for(ids, seconds=90):
                problems.append(f"{kind}: the next worker does not end it")
            here.discovered()
            problems += [f"{kind}: {problem}" for problem in here.problems()]
            table.add(
                (
                    *(kind, broker, f"{stopped:.1f} s", worker.returncode, "yes" if is_queued else "no"),
                    *(spread([time.monotonic() - began_at]), len(problems)),
                ),
                problems,
            )
    return table
