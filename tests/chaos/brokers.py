"""Brokers that lose, double and refuse: what is queued is done once, whatever becomes of the messages."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from app.services.runs import Wake
from app.tasks.celery_app import make_celery, queue_names
from app.tasks.doorbell import current_doorbell
from tests.chaos.fleet import serving
from tests.chaos.installation import (
    BROKERS,
    DEFAULT_PORTS,
    Installation,
    broker_url,
    installed,
    place_of,
    through,
)
from tests.chaos.kills import FLEETS, PAGE_SIZE, SLOWEST_SECONDS
from tests.chaos.proxy import HOST, Proxy
from tests.chaos.report import Table, spread
from tests.databases import Databases

#: How long the broker is away, in seconds.
AWAY_SECONDS = 5.0

#: How often each message is delivered, all at once, to two workers of two processes.
DELIVERIES = 4

DATABASE_OF = {"folder": "sqlite", "redis": "mariadb", "rabbitmq": "postgresql"}

Deed = Callable[[Installation, Proxy | None], list[int]]


def run(databases: Databases, folder: Path, count: int) -> Table:
    """Each mistreatment on each broker, a tenth of `count` times, at least twice."""
    times = max(count // 10, 2)
    table = Table(
        "brokers: lost, doubled and refused messages",
        ("broker", "database", "what was done", "times", "over after (median / most)", "most attempts", "problems"),
    )
    for broker in BROKERS:
        kind = DATABASE_OF[broker]
        with (
            serving(*FLEETS, slowest_seconds=SLOWEST_SECONDS, page_size=PAGE_SIZE) as aws,
            _wire(broker) as (wire, url),
            installed(databases, kind, folder / broker, aws, FLEETS, BROKER_URL=url) as here,
        ):
            here.start("scheduler")
            for _ in range(2):
                here.start("worker")
            ids = here.ask()
            assert here.wait_for(ids, seconds=90), "The first discovery does not end"
            here.discovered()
            for words, deed in _deeds(wire):
                _do(table, here, (broker, kind, words), deed, wire, times)
    return table


def _deeds(wire: Proxy | None) -> Iterator[tuple[str, Deed]]:
    yield f"each message {DELIVERIES} times at once", _double
    yield "all messages lost before they are taken", _lose
    if wire is not None:
        yield f"away for {AWAY_SECONDS:.0f} s before the work is asked for", _refuse_first
        yield f"restarted, and away for {AWAY_SECONDS:.0f} s, while it is done", _refuse_then


def _do(table: Table, here: Installation, names: tuple[str, ...], deed: Deed, wire: Proxy | None, times: int) -> None:
    durations, attempts = [], 0
    problems: list[str] = []
    for number in range(times):
        here.become(here.fleets[0].generation + 1)
        began_at = time.monotonic()
        ids = deed(here, wire)
        if not here.wait_for(ids, seconds=90):
            problems.append(f"{' / '.join(names)}, {number + 1}: not over")
        durations.append(time.monotonic() - began_at)
        attempts = max(attempts, here.most_attempts(ids))
        here.discovered()
        problems += [f"{' / '.join(names)}, {number + 1}: {problem}" for problem in here.problems()]
    table.add((*names, times, spread(durations), attempts, len(problems)), problems)


def _double(here: Installation, _wire: Proxy | None) -> list[int]:
    ids = here.ask()
    with here.app.app_context():
        for _ in range(DELIVERIES - 1):
            current_doorbell().ring(Wake(run_id, False) for run_id in ids)
    return ids


def _lose(here: Installation, _wire: Proxy | None) -> list[int]:
    # Workers that are there would have taken them already.
    here.restart("worker")
    ids = here.ask()
    with make_celery(here.config, for_worker=False).connection_for_write() as connection:
        channel: Any = connection.default_channel
        # The queues of this installation alone: others may use the same broker.
        for name in queue_names(here.config):
            channel.queue_purge(name)
    return ids


def _refuse_first(here: Installation, wire: Proxy | None) -> list[int]:
    assert wire is not None
    wire.refuse()
    began_at = time.monotonic()
    ids = here.ask()
    assert time.monotonic() - began_at < 3, "asking waits for a broker that is away"
    time.sleep(AWAY_SECONDS)
    wire.admit()
    return ids


def _refuse_then(here: Installation, wire: Proxy | None) -> list[int]:
    assert wire is not None
    ids = here.ask()
    time.sleep(0.5)
    wire.refuse()
    time.sleep(AWAY_SECONDS)
    wire.admit()
    return ids


@contextmanager
def _wire(broker: str) -> Iterator[tuple[Proxy | None, str]]:
    """The broker's address, by way of a proxy where there is a wire."""
    url = broker_url(broker)
    target = place_of(url, DEFAULT_PORTS[broker]) if broker in DEFAULT_PORTS else None
    with Proxy(target) if target else nullcontext() as wire:
        yield wire, through(url, HOST, wire.port) if wire else url
