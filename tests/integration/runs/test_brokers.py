"""What brokers and workers do when they are killed, lose messages or double them: real processes, each real broker."""

import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from app import create_app
from app.config import Config
from app.database import db
from app.models import Account, Run, User
from app.models.types import RunState
from app.services.runs import Lease, Outcome, enqueue
from app.tasks.celery_app import make_celery, queue_names
from app.tasks.doorbell import broker_is_reachable, current_doorbell
from app.tasks.schedule import Scheduler
from app.tasks.work import answer, perform
from tests.fakes.worker import add_effect
from tests.integration.runs.conftest import Start, add_accounts, add_run, effects, end_lease, read_run, wait_for

BROKERS = {
    "filesystem": ("", "filesystem://"),
    "redis": ("TEST_REDIS_URL", "redis://127.0.0.1:6379/9"),
    "rabbitmq": ("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}
EVERY_BROKER = [
    pytest.param("filesystem"),
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
]


@pytest.fixture
def broken_config(config: Config) -> Config:
    """Settings with a broker that refuses connections."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return replace(config, broker_url=f"redis://127.0.0.1:{port}/0")


@pytest.fixture(params=EVERY_BROKER)
def broker_app(request: pytest.FixtureRequest, config: Config) -> Iterator[Flask]:
    """An application on SQLite and each broker in turn, with queues of its own."""
    variable, default = BROKERS[request.param]
    url = os.environ.get(variable) or default
    config = replace(config, broker_url=url, secret_key=secrets.token_hex(32))
    if not broker_is_reachable(config, timeout_seconds=15):
        place = urlsplit(url)
        pytest.skip(f"{request.param} does not answer at {place.hostname}:{place.port}; set {variable}")
    app = create_app(config)
    yield app
    with make_celery(config, for_worker=False).connection_for_write() as connection:
        channel: Any = connection.default_channel
        for name in queue_names(config):
            channel.queue_delete(queue=name)
    with app.app_context():
        db.engine.dispose()


def tick_until(app: Flask, condition: Any, *, seconds: float) -> None:
    """Ring again as the scheduler does, until the condition holds."""
    scheduler = Scheduler(app.extensions["spotkeeper"])

    def turn() -> object:
        with app.app_context():
            scheduler.ring_again()
        return condition()

    wait_for(turn, seconds=seconds, every=0.2)


def begun(app: Flask) -> list[tuple[int, int, int]]:
    """(run id, process id, its worker's process id) of each begin, in order."""
    file: Path = app.extensions["spotkeeper"].instance_path / "begun"
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text().splitlines()]
    return [(int(run_id), int(pid), int(worker)) for run_id, pid, worker in lines]


class TestAKilledWorker:
    def test_its_runs_are_taken_up_again_and_nothing_is_lost_or_doubled(self, broker_app: Flask, start: Start) -> None:
        config = broker_app.extensions["spotkeeper"]
        run_ids = [add_run(broker_app, account) for account in add_accounts(broker_app, 3)]
        go = config.instance_path / "go"
        workers = [start(config, "serve", JOB_UNTIL=str(go)) for _ in range(2)]
        wait_for(lambda: len(begun(broker_app)) == 2)
        os.killpg(workers[0].pid, signal.SIGKILL)
        (lost,) = (run_id for run_id, _, worker in begun(broker_app) if worker == workers[0].pid)
        end_lease(broker_app, lost)
        go.touch()

        def all_done() -> bool:
            return all(read_run(broker_app, run_id).state == RunState.SUCCEEDED for run_id in run_ids)

        tick_until(broker_app, all_done, seconds=60)
        assert sorted(effects(broker_app)) == run_ids
        attempts = sorted(read_run(broker_app, run_id).attempt for run_id in run_ids)
        assert attempts == [1, 1, 2], "One run was under way in the killed worker, and was begun again"


class TestAStoppedWorker:
    def test_it_hands_back_in_time_what_it_cannot_finish(self, config: Config, start: Start) -> None:
        app = create_app(replace(config, secret_key=secrets.token_hex(32)))
        config = app.extensions["spotkeeper"]
        run_id = add_run(app, add_accounts(app)[0])
        worker = start(config, "serve", JOB_UNTIL=str(config.instance_path / "never"), GRACE_SECONDS="1")
        wait_for(lambda: begun(app))
        os.killpg(worker.pid, signal.SIGTERM)  # to all of its processes, as service managers do
        output, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0, output
        run = read_run(app, run_id)
        assert (run.state, run.attempt, run.token) == (RunState.QUEUED, 0, None)
        child = begun(app)[0][1]
        wait_for(lambda: not Path(f"/proc/{child}").exists())
        assert effects(app) == []

    def test_it_finishes_what_is_nearly_done(self, config: Config, start: Start) -> None:
        app = create_app(replace(config, secret_key=secrets.token_hex(32)))
        run_id = add_run(app, add_accounts(app)[0])
        go = config.instance_path / "go"
        worker = start(app.extensions["spotkeeper"], "serve", JOB_UNTIL=str(go), GRACE_SECONDS="60")
        wait_for(lambda: begun(app))
        os.killpg(worker.pid, signal.SIGTERM)
        go.touch()
        worker.communicate(timeout=50)
        assert (read_run(app, run_id).state, effects(app)) == (RunState.SUCCEEDED, [run_id])


class TestMessages:
    def test_each_delivered_twice_has_one_effect(self, config: Config, start: Start) -> None:
        app = create_app(replace(config, secret_key=secrets.token_hex(32)))
        run_ids = [add_run(app, account) for account in add_accounts(app, 4)]
        folder = config.instance_path / "broker"
        messages = list(folder.glob("*.msg"))
        assert len(messages) == 4
        for message in messages:
            shutil.copyfile(message, message.with_name(f"0{message.name}"))
        start(app.extensions["spotkeeper"], "serve")
        start(app.extensions["spotkeeper"], "serve")
        wait_for(lambda: not list(folder.glob("*.msg")) and sorted(effects(app)) == run_ids)
        assert [read_run(app, run_id).attempt for run_id in run_ids] == [1] * 4

    def test_all_lost_are_rung_for_again_but_not_without_end(self, app: Flask, config: Config) -> None:
        run_ids = [add_run(app, account) for account in add_accounts(app, 3)]
        folder = config.instance_path / "broker"
        for message in folder.glob("*.msg"):
            message.unlink()
        scheduler = Scheduler(config)
        with app.app_context():
            assert sorted(wake.run_id for wake in scheduler.ring_again()) == run_ids
            assert scheduler.ring_again() == []
        assert len(list(folder.glob("*.msg"))) == 3

    def test_they_are_not_rung_on_top_of_a_queue_that_nobody_empties(
        self, app: Flask, config: Config, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.tasks.schedule.ENOUGH_MESSAGES", 2)
        for account in add_accounts(app, 3):
            add_run(app, account)
        with app.app_context():
            assert Scheduler(config).ring_again() == []

    def test_a_persons_run_goes_before_the_one_that_the_message_names(self, app: Flask, handle: Any) -> None:
        scheduled, asked = (add_run(app, account) for account in add_accounts(app, 2))
        order: list[int] = []

        def job(lease: Lease) -> Outcome:
            order.append(lease.run_id)
            return Outcome.succeeded()

        handle(job)
        with app.app_context():
            run = db.session.get_one(Run, asked)
            account = db.session.get_one(Account, run.account_id)
            enqueue(run.kind, account=account, requested_by=db.session.get_one(User, account.user_id))
            db.session.commit()
        with app.app_context():
            answer(scheduled, worker="test", lease_seconds=60)
        assert order == [asked, scheduled]


class TestABrokerThatIsDown:
    def test_it_does_not_hold_up_the_request_and_the_scheduler_heals_it(
        self, broken_config: Config, config: Config, handle: Any
    ) -> None:
        app = create_app(broken_config)
        assert not broker_is_reachable(broken_config)
        account = add_accounts(app)[0]
        begin = time.monotonic()
        run_id = add_run(app, account)
        assert time.monotonic() - begin < 5
        assert read_run(app, run_id).state == RunState.QUEUED

        healed = create_app(config)
        with healed.app_context():
            assert [wake.run_id for wake in Scheduler(config).ring_again()] == [run_id]
            assert sum(current_doorbell().backlog().values()) == 1
            handle(lambda lease: add_effect(lease) or Outcome.succeeded())  # type: ignore[func-returns-value]
            assert perform(run_id, worker="test", lease_seconds=60)
            assert not perform(run_id, worker="test", lease_seconds=60)
        assert effects(healed) == [run_id]

    def test_it_is_not_asked_again_for_a_while(
        self, broken_config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("app.tasks.doorbell.QUIET_SECONDS", 600)
        app = create_app(broken_config)
        for account in add_accounts(app, 30):
            add_run(app, account)
        assert [record.msg for record in caplog.records if "takes no messages" in record.msg] != []
        assert len([record for record in caplog.records if "takes no messages" in record.msg]) == 1
