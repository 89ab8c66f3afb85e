"""Events that arrive while a discovery reads the same regions: in threads of their own, and AWS takes its time."""

import itertools
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, InstanceChange, User
from app.services.events.parse import STATE_CHANGE
from app.services.events.tokens import TOKEN_HEADER, switch_events_on
from app.services.instances.examine import examine_counts
from app.tasks.work import perform
from benchmarks.ec2_server import Served
from tests.chaos.fleet import ChurningFleet, Told, as_json, history, serving
from tests.chaos.installation import Installation, wait_until
from tests.databases import EVERY_KIND, Databases, empty_database
from tests.integration.events.events import PATH

FLEET = ChurningFleet(instances=100, regions=2)
BEFORE, NOW = replace(FLEET, generation=1), replace(FLEET, generation=2)

#: Each instance goes through these, one event each, and every event is sent twice.
STATES = ("stopping", "stopped")
SENDERS = 4


@pytest.fixture(scope="module")
def aws() -> Iterator[Served]:
    with serving(FLEET, slowest_seconds=0.6, page_size=20) as served:
        yield served


def instances_to_tell_of() -> list[tuple[str, str]]:
    """(Instance id, region) of those that run: some that were there before and have not changed, all that are new."""
    before, now = BEFORE.inventory(), NOW.inventory()
    known = {fact[0] for fact in before}
    steady = sorted(fact for fact in before & now if fact[2] == "running")
    new = sorted(fact for fact in now if fact[2] == "running" and fact[0] not in known)
    assert len(new) >= 2, "The fleet has nothing new"
    return [(fact[0], fact[1]) for fact in [*steady[::5], *new]]


class Senders:
    """Post the events of all instances, those of one instance in their order."""

    def __init__(self, here: Installation, token: str) -> None:
        self.here, self.token = here, token
        self.outcomes: list[str] = []
        self.during = 0
        self.is_over = threading.Event()

    def tell(self, instances: Sequence[tuple[str, str]]) -> None:
        client = self.here.app.test_client()
        for (instance_id, region), (number, state) in itertools.product(instances, enumerate(STATES)):
            # Later than the reading began, beyond doubt, however slow the machine is.
            moment = datetime.now(UTC) + timedelta(seconds=60 + number)
            event = {
                "id": str(uuid.uuid4()),
                "detail-type": STATE_CHANGE,
                "source": "aws.ec2",
                "account": FLEET.account_id,
                "region": region,
                "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "detail": {"instance-id": instance_id, "state": state},
            }
            for _ in range(2):
                answer = client.post(PATH, json=event, headers={TOKEN_HEADER: self.token})
                assert answer.status_code == 202, answer.text
                self.outcomes.append(answer.get_json()["outcome"])
                self.during += not self.is_over.is_set()


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_each_change_is_told_once_and_the_latest_state_stays(
    kind: str, databases: Databases, aws: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    migrated = databases.migrated(kind)
    here = Installation(tmp_path, migrated.extensions["spotkeeper"].database_url, aws, [FLEET])
    try:
        here.become(1)
        discover(here)
        here.become(2)
        with here.app.app_context():
            account = db.session.get_one(Account, here.account_pks[0])
            token = switch_events_on(account, actor=db.session.get_one(User, account.user_id))
            db.session.commit()
        told_of = instances_to_tell_of()
        senders = Senders(here, token)
        with ThreadPoolExecutor(SENDERS + 1) as threads:
            (run_id,) = here.ask()
            reading = threads.submit(discover, here, run_id)
            reading.add_done_callback(lambda _: senders.is_over.set())
            assert wait_until(lambda: here.is_begun([run_id]), seconds=10, every=0.01)
            telling = [threads.submit(senders.tell, told_of[number::SENDERS]) for number in range(SENDERS)]
            for done in [reading, *telling]:
                done.result()
        assert senders.during > len(told_of), "The discovery was over before the events came"
        assert set(senders.outcomes) <= {"applied", "unchanged", "unknown_instance"}

        ids = {instance_id for instance_id, _ in told_of}
        true = {fact[0]: "stopped" if fact[0] in ids else fact[2] for fact in NOW.inventory()}
        assert states(here) == true
        events = {
            (instance_id, "changed", "state", as_json(before), as_json(after)): 1
            for instance_id in ids
            for before, after in itertools.pairwise(("running", *STATES))
        }
        assert changes(here) == history([BEFORE, NOW]) + Counter(events)
        with here.app.app_context():
            assert list(examine_counts(here.account_pks[0])) == []
    finally:
        here.close()
        empty_database(migrated)


def discover(here: Installation, run_id: int | None = None) -> None:
    if run_id is None:
        (run_id,) = here.ask()
    with here.app.app_context():
        assert perform(run_id, worker="tests", lease_seconds=10)


def states(here: Installation) -> dict[str, str]:
    with here.app.app_context():
        query = sa.select(Instance.instance_id, Instance.state).where(Instance.state != "missing")
        return dict(db.session.execute(query).all())


def changes(here: Installation) -> Counter[Told]:
    with here.app.app_context():
        query = sa.select(
            Instance.instance_id, InstanceChange.kind, InstanceChange.field, InstanceChange.before, InstanceChange.after
        ).join(Instance, Instance.id == InstanceChange.instance_pk)
        return Counter(
            (id_, kind.value, field, as_json(old), as_json(new))
            for id_, kind, field, old, new in db.session.execute(query)
        )
