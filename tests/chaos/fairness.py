"""One tenant's huge fleet beside another's small one, which must not take more than twice its time alone."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import Installation, broker_url, installed, wait_until
from tests.chaos.kills import PAIRS
from tests.chaos.report import Table, spread
from tests.databases import Databases

#: One tenant's: as many as the worker has processes.
HUGE = tuple(ChurningFleet(instances=10_500, regions=4, account=number) for number in (1, 2))
SMALL = ChurningFleet(instances=10, regions=2, account=3)
#: Their places among the accounts.
THE_HUGE, THE_SMALL = (0, 1), (2,)
TIMES = 3

#: The most that a neighbor may cost, as a ratio of medians.
MOST = 2.0

#: What a page takes: about as long as AWS.
SLOWEST_SECONDS = 0.5


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """One worker of two processes on each database."""
    table = Table(
        f"fair queues: {SMALL.instances} instances beside {len(HUGE)} x {HUGE[0].instances:,}, two processes to work",
        ("database", "broker", "small one alone (median / most)", "beside the huge ones", "ratio", "problems"),
    )
    for kind, broker in PAIRS:
        with (
            serving(*HUGE, SMALL, slowest_seconds=SLOWEST_SECONDS) as aws,
            installed(databases, kind, folder / kind, aws, [*HUGE, SMALL], BROKER_URL=broker_url(broker)) as here,
        ):
            here.start("worker")
            here.start("scheduler")
            problems: list[str] = []
            # So that the worker is warm, and the sizes are known.
            _discover(here, THE_HUGE)
            _discover(here, THE_SMALL)
            alone = [_discover(here, THE_SMALL) for _ in range(TIMES)]
            beside = []
            for _ in range(TIMES):
                # A changed fleet is more to write.
                here.become(here.fleets[0].generation + 1)
                ids = here.ask(THE_HUGE)
                if not wait_until(lambda: here.is_begun(ids), seconds=30, every=0.02):  # noqa: B023 - called at once
                    problems.append(f"{kind}: no huge one is begun")
                beside.append(_discover(here, THE_SMALL))
                if here.are_over(ids):
                    problems.append(f"{kind}: the huge ones were not beside it")
                if not here.wait_for(ids, seconds=180):
                    problems.append(f"{kind}: the huge ones do not end")
            ratio = sorted(beside)[TIMES // 2] / sorted(alone)[TIMES // 2]
            if ratio > MOST:
                problems.append(f"{kind}: the small one takes {ratio:.1f} times as long")
            table.add((kind, broker, spread(alone), spread(beside), f"{ratio:.2f}", len(problems)), problems)
    return table


def _discover(here: Installation, numbers: Sequence[int]) -> float:
    began_at = time.monotonic()
    ids = here.ask(numbers)
    assert wait_until(lambda: here.are_over(ids), seconds=180, every=0.02), "It does not end"
    return time.monotonic() - began_at
