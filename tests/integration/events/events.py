"""Events as EventBridge sends them, and what a test looks at afterwards."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Ec2Event, Instance, InstanceChange, User
from app.models.types import AccountStatus
from app.services.events.parse import REBALANCE, SPOT_WARNING, STATE_CHANGE
from app.services.events.tokens import TOKEN_HEADER, switch_events_on
from tests.factories import make_account, make_instance, make_user

AWS_ID = "012345678901"
PATH = "/api/v1/events"

_numbers = itertools.count(1)

#: When the tests' events begin: lately, in whole seconds.
BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)


def event(
    detail_type: str, instance: str, *, seconds: float = 0, account: str = AWS_ID, **detail: str
) -> dict[str, Any]:
    """One event, so many seconds after the first."""
    moment = BEGIN + timedelta(seconds=seconds)
    return {
        "version": "0",
        "id": f"7bf73129-1428-4cd3-a780-{next(_numbers):012x}",
        "detail-type": detail_type,
        "source": "aws.ec2",
        "account": account,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [f"arn:aws:ec2:us-east-1:{account}:instance/{instance}"],
        "detail": {"instance-id": instance, **detail},
    }


def state(instance: str, word: str, seconds: float = 0, **more: Any) -> dict[str, Any]:
    return event(STATE_CHANGE, instance, seconds=seconds, state=word, **more)


def warning(instance: str, action: str = "terminate", seconds: float = 0) -> dict[str, Any]:
    """With the ARN that has a zone in the place of the region, and no account."""
    made = event(SPOT_WARNING, instance, seconds=seconds, **{"instance-action": action})
    return made | {"resources": [f"arn:aws:ec2:us-east-1a:instance/{instance}"]}


def rebalance(instance: str, seconds: float = 0) -> dict[str, Any]:
    return event(REBALANCE, instance, seconds=seconds)


class Fleet:
    """An active account with one running instance, and its token."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        with app.app_context():
            owner = make_user()
            account = make_account(owner, account_id=AWS_ID, status=AccountStatus.ACTIVE)
            instance = make_instance(account, content_hash="c" * 64, raw_hash="r" * 32, state_reason_code="Old.Reason")
            self.token = switch_events_on(account, actor=db.session.get_one(User, owner.id))
            self.account_pk, self.instance_pk, self.instance_id = account.id, instance.id, instance.instance_id
            db.session.commit()

    def post(self, body: Any, token: str | None = None, **options: Any) -> Any:
        headers = {TOKEN_HEADER: self.token if token is None else token}
        return self.app.test_client().post(PATH, json=body, headers=headers, **options)

    def outcomes(self, *events: dict[str, Any]) -> list[str]:
        answers = [self.post(one) for one in events]
        assert {answer.status_code for answer in answers} == {202}
        return [answer.get_json()["outcome"] for answer in answers]

    def instance(self) -> Instance:
        with self.app.app_context():
            found = db.session.get_one(Instance, self.instance_pk)
            db.session.expunge(found)
        return found

    def account(self) -> Account:
        with self.app.app_context():
            found = db.session.get_one(Account, self.account_pk)
            db.session.expunge(found)
        return found

    def history(self) -> list[tuple[str, Any, Any, float]]:
        """(field, before, after, seconds since the first event) in the order in which it happened."""
        with self.app.app_context():
            query = sa.select(InstanceChange).where(InstanceChange.instance_pk == self.instance_pk)
            rows = db.session.scalars(query.order_by(InstanceChange.happened_at, InstanceChange.id)).all()
            return [
                (row.field, row.before, row.after, (row.happened_at - BEGIN).total_seconds())
                for row in rows
                if row.happened_at
            ]

    def kept(self) -> list[Ec2Event]:
        with self.app.app_context():
            found = list(db.session.scalars(sa.select(Ec2Event).order_by(Ec2Event.id)))
            db.session.expunge_all()
        return found
