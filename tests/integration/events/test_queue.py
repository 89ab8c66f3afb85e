"""The operator's queue: SQS as moto plays it, over HTTP, read by the real job."""

import json
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.aws.queue import queue_region
from app.database import db
from app.models import Run
from app.models.types import RunKind, RunState
from app.services.runs.due import enqueue_event_poll
from app.tasks import events as job
from app.tasks.schedule import Scheduler
from app.tasks.work import perform
from demo.aws.cloud import SimulatedAws
from tests.fakes.aws import APP_ACCOUNT, APP_PERMISSIONS, Boto
from tests.integration.events.events import Fleet, rebalance, state, warning

READ_QUEUE = {
    "Effect": "Allow",
    "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:DeleteMessageBatch"],
    "Resource": "*",
}


class EventQueue:
    """A queue that the installation's identity may read, and a sender who may do everything."""

    def __init__(self, app: Flask, aws: SimulatedAws, boto: Boto) -> None:
        aws.create_user_keys(
            APP_ACCOUNT, "spotkeeper", {**APP_PERMISSIONS, "Statement": [*APP_PERMISSIONS["Statement"], READ_QUEUE]}
        )
        self.app = app
        self.sqs = boto(aws.create_admin_keys(APP_ACCOUNT), "sqs")
        attributes = {"VisibilityTimeout": "0"}
        self.url = self.sqs.create_queue(QueueName="events", Attributes=attributes)["QueueUrl"]
        app.extensions["spotkeeper"] = replace(app.extensions["spotkeeper"], event_queue_url=self.url)

    def send(self, *bodies: Any) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def count(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(map(int, found.values()))

    def poll(self) -> Run:
        """Let the scheduler queue the job, do it once, and look at its row."""
        with self.app.app_context():
            Scheduler(self.app.extensions["spotkeeper"]).tick()
            query = sa.select(Run).where(Run.kind == RunKind.POLL_EVENTS).order_by(Run.id.desc())
            run_id = db.session.scalars(query).first().id  # type: ignore[union-attr]
            db.session.execute(sa.update(Run).where(Run.id == run_id).values(due_at=Run.created_at))
            db.session.commit()
            perform(run_id, worker="tests", lease_seconds=30)
            run = db.session.get_one(Run, run_id)
            db.session.expunge(run)
        return run


@pytest.fixture
def fleet(app: Flask) -> Fleet:
    return Fleet(app)


@pytest.fixture
def queue(app: Flask, aws: SimulatedAws, boto: Boto, monkeypatch: pytest.MonkeyPatch) -> EventQueue:
    monkeypatch.setattr(job, "WAIT_SECONDS", 0)
    return EventQueue(app, aws, boto)


class TestTheQueue:
    def test_events_are_taken_plain_and_from_sns(self, fleet: Fleet, queue: EventQueue) -> None:
        wrapped = {"Type": "Notification", "MessageId": "1", "Message": json.dumps(warning(fleet.instance_id))}
        queue.send(state(fleet.instance_id, "stopped", 3), wrapped, rebalance(fleet.instance_id))
        run = queue.poll()
        assert fleet.instance().state == "stopped"
        assert {row[0] for row in fleet.history()} == {"state", "interruption", "rebalance"}
        assert queue.count() == 0
        assert fleet.account().event_at is not None
        assert run.state is RunState.QUEUED, "the same run is queued again"

    def test_it_stays_one_run(self, fleet: Fleet, queue: EventQueue) -> None:
        assert len({queue.poll().id for _ in range(3)}) == 1
        with fleet.app.app_context():
            assert not enqueue_event_poll()

    def test_what_is_no_event_or_nobody_s_is_dropped(self, fleet: Fleet, queue: EventQueue) -> None:
        foreign = state(fleet.instance_id, "stopped", account="999999999999")
        queue.send(
            "hello", "[]", {"Type": "Notification", "Message": "x"}, foreign, {"Type": "SubscriptionConfirmation"}
        )
        queue.poll()
        assert (queue.count(), fleet.kept()) == (0, [])
        assert fleet.instance().state == "running"

    def test_more_than_one_batch(self, fleet: Fleet, queue: EventQueue) -> None:
        queue.send(*(rebalance(fleet.instance_id, number) for number in range(23)))
        queue.poll()
        assert (queue.count(), len(fleet.history())) == (0, 23)

    def test_what_could_not_be_committed_stays(
        self, fleet: Fleet, queue: EventQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def break_down(*_: Any) -> None:
            raise RuntimeError("not now")

        queue.send(state(fleet.instance_id, "stopped"))
        with monkeypatch.context() as patch:
            patch.setattr(job, "take_event", break_down)
            assert queue.poll().attempt == 1
        assert queue.count() == 1
        queue.poll()
        assert (queue.count(), fleet.instance().state) == (0, "stopped")

    def test_a_queue_that_cannot_be_read_is_asked_again_later(
        self, fleet: Fleet, queue: EventQueue, aws: SimulatedAws
    ) -> None:
        aws.faults.add("denied", action="ReceiveMessage")
        run = queue.poll()
        assert run.state is RunState.QUEUED
        assert "The event queue cannot be read" in run.progress_text

    def test_without_the_setting_the_job_ends(self, fleet: Fleet, queue: EventQueue) -> None:
        queue.poll()
        fleet.app.extensions["spotkeeper"] = replace(fleet.app.extensions["spotkeeper"], event_queue_url="")
        with fleet.app.app_context():
            run_id = db.session.scalars(sa.select(Run.id).where(Run.kind == RunKind.POLL_EVENTS)).one()
            db.session.execute(sa.update(Run).where(Run.id == run_id).values(due_at=Run.created_at))
            db.session.commit()
            perform(run_id, worker="tests", lease_seconds=30)
            assert db.session.get_one(Run, run_id).state is RunState.SUCCEEDED


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/111122223333/events", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/events", "cn-north-1"),
        ("http://127.0.0.1:5000/111122223333/events", "us-east-1"),
    ],
)
def test_the_region_is_the_address_s(url: str, region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert queue_region(url) == region
