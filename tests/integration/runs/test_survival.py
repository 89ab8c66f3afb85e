"""What real discoveries survive, in small: a kill, a frozen or cut database, a dead process of the pool.

Each ends with the exact inventory and the exact history. `make chaos` does the same often, and more.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app import create_app
from app.database import db
from app.services.readiness import is_database_ready
from app.tasks.work import perform
from benchmarks.ec2_server import Served
from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import (
    DEFAULT_PORTS,
    Installation,
    kill,
    kill_child,
    place_of,
    through,
    wait_until,
)
from tests.chaos.proxy import HOST, Proxy
from tests.databases import EVERY_KIND, Databases, empty_database, make_config
from tests.integration.runs.conftest import end_lease

FLEET = ChurningFleet(instances=150, regions=3)

Install = Callable[..., Installation]


@pytest.fixture(scope="module")
def aws() -> Iterator[Served]:
    with serving(FLEET, page_size=20) as served:
        yield served


@pytest.fixture
def install(databases: Databases, aws: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install("sqlite")`: an installation that has discovered the first generation."""
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)

    def make(kind: str, **env: str) -> Installation:
        migrated = databases.migrated(kind)
        stack.callback(empty_database, migrated)
        url = migrated.extensions["spotkeeper"].database_url
        here = Installation(tmp_path, url, aws, [FLEET], LEASE_SECONDS="30", **env)
        stack.callback(here.close)
        here.become(0)
        (run_id,) = here.ask()
        do(here, run_id)
        here.discovered()
        assert here.problems() == []
        return here

    with ExitStack() as stack:
        yield make


def do(here: Installation, run_id: int) -> None:
    with here.app.app_context():
        assert perform(run_id, worker="tests", lease_seconds=here.config.lease_seconds)


def is_under_way(here: Installation, run_id: int) -> bool:
    """Whether one region was stored; the others are held."""
    assert not here.are_over([run_id])
    return here.regions_done(run_id) == 1


def take_over(here: Installation, run_id: int) -> None:
    """What another worker does once nobody has heard of the first for long."""
    end_lease(here.app, run_id)
    do(here, run_id)


class TestAKilledWorker:
    @pytest.mark.parametrize("kind", EVERY_KIND)
    def test_it_leaves_nothing_lost_doubled_or_invented(self, install: Install, kind: str) -> None:
        here = install(kind)
        here.become(1, is_held=True)
        (run_id,) = here.ask()
        worker = here.perform(run_id)
        assert wait_until(lambda: is_under_way(here, run_id), seconds=60, every=0.02)
        kill(worker)
        here.let_go()
        assert not here.are_over([run_id])
        take_over(here, run_id)
        here.discovered()
        assert here.problems() == []
        assert here.most_attempts([run_id]) == 2

    def test_one_idle_process_of_its_pool_is_replaced(self, install: Install) -> None:
        here = install("sqlite")
        worker = here.start("worker")
        (run_id,) = here.ask()
        assert here.wait_for([run_id], seconds=90)
        assert kill_child(worker)
        here.discovered()
        here.become(1)
        assert here.wait_for(here.ask(), seconds=90), "the processes left wait for a lock that died with the other"
        here.discovered()
        assert here.problems() == []


@pytest.mark.parametrize("kind", EVERY_KIND[1:])
class TestADatabaseBehindABadWire:
    @pytest.fixture
    def wire(self, kind: str, databases: Databases) -> Iterator[Proxy]:
        with Proxy(
            place_of(databases.migrated(kind).extensions["spotkeeper"].database_url, DEFAULT_PORTS[kind])
        ) as proxy:
            yield proxy

    def test_frozen_it_delays_and_loses_nothing(self, install: Install, kind: str, wire: Proxy) -> None:
        here = install(kind)
        here.become(1, is_held=True)
        (run_id,) = here.ask()
        here.perform(run_id, DATABASE_URL=through(here.config.database_url, HOST, wire.port))
        assert wait_until(lambda: is_under_way(here, run_id), seconds=60, every=0.02)
        wire.freeze()
        here.let_go()
        time.sleep(0.5)
        assert not here.are_over([run_id])
        wire.thaw()
        assert here.wait_for([run_id], seconds=90)
        here.discovered()
        assert here.problems() == []

    def test_frozen_it_is_called_away_and_not_waited_for(
        self, kind: str, databases: Databases, wire: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.database.PING_SECONDS", 1)
        url = databases.migrated(kind).extensions["spotkeeper"].database_url
        app = create_app(make_config(through(url, HOST, wire.port), tmp_path, DB_CONNECT_TIMEOUT_SECONDS="1"))
        with app.app_context():
            # More than once, for a busy machine may not connect within that one second.
            assert wait_until(is_database_ready, seconds=60)
            db.session.remove()
            wire.freeze()
            began_at = time.monotonic()
            assert not is_database_ready()
            assert time.monotonic() - began_at < 20, "it waited for the database, which would have been for ever"
            db.session.remove()
            wire.thaw()
            assert wait_until(is_database_ready, seconds=60)
            db.session.remove()
            db.engine.dispose()

    def test_cut_off_from_it_the_job_is_tried_again(self, install: Install, kind: str, wire: Proxy) -> None:
        here = install(kind)
        here.become(1, is_held=True)
        (run_id,) = here.ask()
        worker = here.perform(run_id, DATABASE_URL=through(here.config.database_url, HOST, wire.port))
        assert wait_until(lambda: is_under_way(here, run_id), seconds=60, every=0.02)
        wire.refuse()
        here.let_go()
        worker.wait(60)
        assert not here.are_over([run_id])
        take_over(here, run_id)
        here.discovered()
        assert here.problems() == []
