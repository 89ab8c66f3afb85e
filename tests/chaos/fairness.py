"""One tenant's huge fleet beside another's small one, which must not take more than twice its time alone."""

import time
from pathlib import Path

from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import Installation, broker_url, installed, wait_until
from tests.chaos.kills import PAIRS
from tests.chaos.report import Table, spread
from tests.databases import Databases

HUGE = ChurningFleet(instances=10_000, regions=4, account=1)
SMALL = ChurningFleet(instances=10, regions=2, account=2)
TIMES = 5

#: The most that a neighbor may cost, as a ratio of medians.
MOST = 2.0

#: What a page takes: about as long as AWS.
SLOWEST_SECONDS = 0.5


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """One worker of two processes on each database."""
    table = Table(
        f"fair queues: {SMALL.instances} instances beside {HUGE.instances:,}, one worker of two processes",
        ("database", "broker", "small one alone (median / most)", "beside the huge one", "ratio", "problems"),
    )
    for kind, broker in PAIRS:
        with (
            serving(HUGE, SMALL, slowest_seconds=SLOWEST_SECONDS) as aws,
            installed(databases, kind, folder / kind, aws, [HUGE, SMALL], BROKER_URL=broker_url(broker)) as here,
        ):
            here.start("worker")
            here.start("scheduler")
            problems: list[str] = []
            _discover(here, [1])  # the worker is warm, and the small fleet known
            alone = [_discover(here, [1]) for _ in range(TIMES)]
            beside = []
            for _ in range(TIMES):
                ids = here.ask([0])
                if not wait_until(lambda: here.is_begun(ids), seconds=30, every=0.02):  # noqa: B023 - called at once
                    problems.append(f"{kind}: the huge one is not begun")
                beside.append(_discover(here, [1]))
                if not here.wait_for(ids, seconds=180):
                    problems.append(f"{kind}: the huge one does not end")
                # A changed fleet is more to write, and the first one most of all.
                here.become(here.fleets[0].generation + 1)
            ratio = sorted(beside)[TIMES // 2] / sorted(alone)[TIMES // 2]
            if ratio > MOST:
                problems.append(f"{kind}: the small one takes {ratio:.1f} times as long")
            table.rows.append((kind, broker, spread(alone), spread(beside), f"{ratio:.2f}", len(problems)))
            table.problems += problems
    return table


def _discover(here: Installation, numbers: list[int]) -> float:
    began_at = time.monotonic()
    ids = here.ask(numbers)
    assert wait_until(lambda: here.are_over(ids), seconds=180, every=0.02), "It does not end"
    return time.monotonic() - began_at
