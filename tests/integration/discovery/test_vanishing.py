"""A thousand instances that are gone at once: one transaction takes it, and pages can be read in the middle of it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from app.database import db
from app.models import InstanceChange, User
from app.services.discovery import inventory
from app.services.instances.examine import examine_counts
from app.services.sessions import start_session
from app.tasks.work import perform
from benchmarks.ec2_server import Served
from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import Installation
from tests.databases import EVERY_KIND, Databases, empty_database

FLEET = ChurningFleet(instances=1002, regions=1)
LEFT = 2


@pytest.fixture
def aws() -> Iterator[Served]:
    with serving(FLEET) as served:
        yield served


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_they_are_missing_all_at_once_and_pages_do_not_wait(
    kind: str, databases: Databases, aws: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    migrated = databases.migrated(kind)
    here = Installation(tmp_path, migrated.extensions["spotkeeper"].database_url, aws, [FLEET])
    written, looked = threading.Event(), threading.Event()
    refresh_tallies = inventory.refresh_tallies

    def wait_in_the_middle(account_pk: int, region: str) -> None:
        refresh_tallies(account_pk, region)
        written.set()
        assert looked.wait(20)

    try:
        discover(here)
        aws.become(instances=LEFT)
        monkeypatch.setattr(inventory, "refresh_tallies", wait_in_the_middle)
        client = browser(here)
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(discover, here)
            try:
                assert written.wait(20)
                # All of it is written, and nothing of it is to be seen yet.
                assert here.count_missing() == 0
                for page in ("/", "/instances", "/instances?state=missing", "/accounts"):
                    assert client.get(page).status_code == 200
            finally:
                looked.set()
            reading.result()
        assert here.count_missing() == FLEET.instances - LEFT
        with here.app.app_context():
            vanished = sa.select(sa.func.count()).where(InstanceChange.kind == "vanished")
            assert db.session.scalar(vanished) == FLEET.instances - LEFT
            assert list(examine_counts(here.account_pks[0])) == []
    finally:
        here.close()
        empty_database(migrated)


def discover(here: Installation) -> None:
    (run_id,) = here.ask()
    with here.app.app_context():
        assert perform(run_id, worker="tests", lease_seconds=30)


def browser(here: Installation) -> FlaskClient:
    with here.app.app_context():
        owner = db.session.scalars(sa.select(User)).one()
        _, token = start_session(owner, lifetime_seconds=3600)
        db.session.commit()
        client = here.app.test_client()
        with client.session_transaction() as cookie:
            cookie.update({"_user_id": str(owner.id), "_fresh": True, "token": token})
    return client
