"""A reading takes a while: what an event tells of meanwhile is later news than its pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.aws.records import RegionRead
from app.database import db
from app.models import Account, Instance
from app.models.types import AccountStatus
from app.services.discovery.intake import Intake
from app.services.discovery.inventory import store_region
from tests.factories import make_account, make_instance, make_user

BEGAN = datetime(2026, 11, 9, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stored", "state"),
    [
        pytest.param({"raw_hash": "", "state_changed_at": BEGAN + timedelta(seconds=1)}, "running", id="told since"),
        pytest.param({"raw_hash": "", "state_changed_at": BEGAN - timedelta(seconds=1)}, "missing", id="told before"),
        pytest.param({"raw_hash": "a" * 32, "state_changed_at": None}, "missing", id="read before"),
    ],
)
def test_an_instance_on_no_page_has_vanished_unless_an_event_told_of_it_since(
    any_database: Flask, stored: dict[str, Any], state: str
) -> None:
    with any_database.app_context():
        account = make_account(make_user(), status=AccountStatus.ACTIVE)
        instance_pk = make_instance(account, **stored).id
        db.session.commit()
        intake = Intake(account.id, "us-east-1", BEGAN)
        store_region(db.session.get_one(Account, account.id), RegionRead("us-east-1", 0, 1, 1), intake)
        intake.close()
        db.session.commit()
        db.session.expire_all()
        assert db.session.get_one(Instance, instance_pk).state == state
