"""Thousands of instances that are gone at once: how long it takes, and what readers notice of it."""

import threading
import time
from pathlib import Path

from tests.chaos.browser import Answer, Browser, percentile, share_served, statuses
from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import Installation, free_port, installed, wait_until
from tests.chaos.report import Table
from tests.databases import KINDS, Databases

SIZES = (1000, 10_000)
PAGES = ("/", "/instances", "/instances?state=missing", "/accounts")

#: A reader waits no longer than this, in seconds, whatever is being written.
SLOWEST = 1.0


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """Each size on each database; two instances are left, so that it is no empty answer."""
    table = Table(
        "instances that are gone at once",
        ("database", "instances", "discovery took", "pages meanwhile", "95% / slowest", "problems"),
    )
    for kind in KINDS:
        for size in SIZES:
            fleet = ChurningFleet(instances=size + 2, regions=1)
            with (
                serving(fleet) as aws,
                installed(databases, kind, folder / f"{kind}-{size}", aws, [fleet]) as here,
            ):
                _vanish(table, here, kind, size)
    return table


def _vanish(table: Table, here: Installation, kind: str, size: int) -> None:
    browser = Browser(port := free_port())
    here.start("web", PORT=str(port))
    here.start("worker")
    here.start("scheduler")
    assert wait_until(lambda: browser.get("/healthz").status == 200, seconds=30), "The web process does not answer"
    assert browser.sign_in(here.username).status == 200
    assert here.wait_for(here.ask(), seconds=120), "The first discovery does not end"
    is_over = threading.Event()
    answers: list[Answer] = []

    def look() -> None:
        while not is_over.is_set():
            answers.extend(browser.get(page) for page in PAGES)

    here.aws.become(instances=2)
    looking = threading.Thread(target=look)
    looking.start()
    ids = here.ask()
    began_at = time.monotonic()
    is_done = wait_until(lambda: here.are_over(ids), seconds=120, every=0.02)
    seconds = time.monotonic() - began_at
    is_over.set()
    looking.join()
    problems = [] if is_done else ["the discovery does not end"]
    if (missing := here.count_missing()) != size:
        problems.append(f"{missing:,} are missing")
    if share_served(answers) < 1:
        problems.append(f"pages meanwhile: {statuses(answers)}")
    slowest = percentile(answers, 1)
    if slowest > SLOWEST:
        problems.append(f"a page took {slowest:.1f} s")
    waits = f"{percentile(answers, 0.95) * 1000:.0f} / {slowest * 1000:.0f} ms"
    row = (
        kind,
        f"{size:,}",
        f"{seconds:.1f} s",
        f"{share_served(answers):.0%} of {len(answers)}",
        waits,
        len(problems),
    )
    table.add(row, [f"{kind}, {size:,}: {problem}" for problem in problems])
