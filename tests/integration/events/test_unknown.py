"""Events of instances that no discovery had brought yet, and the discovery that does."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Ec2Event, Instance, InstanceChange, User
from app.models.types import EventOutcome
from app.services.events.tokens import TOKEN_HEADER, switch_events_on
from demo.aws.cloud import SimulatedAws
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import HOME
from tests.integration.events.events import BEGIN, PATH, state, warning
from tests.jobs import run_jobs


@pytest.fixture
def account(app: Flask, aws: SimulatedAws, client1: User) -> Account:
    """Connected and discovered, when it had nothing."""
    entered = connected(app, aws, client1)
    run_jobs(app)
    return entered


def test_they_are_told_once_the_instance_is_known(app: Flask, aws: SimulatedAws, account: Account) -> None:
    with app.app_context():
        row = db.session.get_one(Account, account.id)
        token = switch_events_on(row, actor=db.session.get_one(User, row.user_id))
        row.last_tried_at = datetime.now(UTC) - timedelta(hours=1)
        db.session.commit()
    (made,) = aws.run_instances(AWS_ID, HOME, 1)
    ahead = (datetime.now(UTC) - BEGIN).total_seconds() + 60
    told = [state(made.id, "pending"), warning(made.id, seconds=1), state(made.id, "stopping", ahead)]
    client = app.test_client()
    outcomes = [client.post(PATH, json=one, headers={TOKEN_HEADER: token}).get_json()["outcome"] for one in told]
    assert outcomes == ["unknown_instance"] * 3
    run_jobs(app)
    with app.app_context():
        instance = db.session.scalars(sa.select(Instance)).one()
        history = db.session.execute(
            sa.select(InstanceChange.field, InstanceChange.before, InstanceChange.after).order_by(InstanceChange.id)
        )
        # The reading showed it running later than it was pending, and earlier than it was stopping.
        assert instance.state == "stopping"
        assert [tuple(row) for row in history] == [
            ("state", None, "running"),
            ("interruption", None, "terminate"),
            ("state", "running", "stopping"),
        ]
        kept = db.session.scalars(sa.select(Ec2Event.outcome).order_by(Ec2Event.id)).all()
        assert kept == [EventOutcome.STALE, EventOutcome.APPLIED, EventOutcome.APPLIED]
