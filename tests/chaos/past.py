"""Ten churned discoveries with a kill -9 in each: the history holds exactly the real changes."""

import random
import time
from pathlib import Path

from tests.chaos.fleet import history, serving
from tests.chaos.installation import installed, kill, wait_until
from tests.chaos.kills import FLEETS, PAGE_SIZE, SLOWEST_SECONDS
from tests.chaos.report import Table
from tests.databases import KINDS, Databases

GENERATIONS = 10


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """The same ten generations on each database; a worker dies once in each discovery."""
    table = Table(
        f"history of {GENERATIONS} churned discoveries, a worker killed in each",
        ("database", "killed at work", "changes that there were", "rows of history", "problems"),
    )
    for kind in KINDS:
        with (
            serving(*FLEETS, slowest_seconds=SLOWEST_SECONDS, page_size=PAGE_SIZE) as aws,
            installed(databases, kind, folder / kind, aws, FLEETS) as here,
        ):
            here.start("scheduler")
            worker = here.start("worker")
            fleets, killed = [], 0
            problems: list[str] = []
            for generation in range(GENERATIONS + 1):
                here.become(generation)
                ids = here.ask()
                if generation:
                    wait_until(lambda: here.is_begun(ids), seconds=10, every=0.02)  # noqa: B023 - called at once
                    time.sleep(random.uniform(0.1, 1.2))
                    killed += not here.are_over(ids)
                    kill(worker)
                    worker = here.start("worker")
                if not here.wait_for(ids, seconds=90):
                    problems.append(f"{kind}: generation {generation} does not end")
                    break
                here.discovered()
                fleets.append(list(here.fleets))
            problems += [f"{kind}: {problem}" for problem in here.problems()]
            true = sum(history([of[number] for of in fleets]).total() for number in range(len(FLEETS)))
            table.add((kind, f"{killed}/{GENERATIONS}", true, here.count_changes(), len(problems)), problems)
    return table
