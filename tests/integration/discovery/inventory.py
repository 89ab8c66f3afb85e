"""Discovers anew in a test, and looks at what is stored afterwards."""

from typing import Any

import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Instance, RegionScan, Run
from app.models.types import RunKind
from app.services import runs
from tests.jobs import run_jobs

HOME, AWAY = "us-east-1", "eu-west-1"


def discover(app: Flask, account: Account) -> Run:
    """Discover again; the run as it ended."""
    with app.app_context():
        run_id = runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, account.id)).id
        db.session.commit()
    run_jobs(app)
    with app.app_context():
        run = db.session.get_one(Run, run_id)
        db.session.expunge(run)
    return run


def rows(app: Flask, **where: Any) -> list[Instance]:
    with app.app_context():
        found = list(db.session.scalars(sa.select(Instance).filter_by(**where).order_by(Instance.instance_id)))
        db.session.expunge_all()
    return found


def scan(app: Flask, region: str) -> RegionScan:
    with app.app_context():
        found = db.session.scalars(sa.select(RegionScan).where(RegionScan.region == region)).one()
        db.session.expunge(found)
    return found


def digest(app: Flask) -> list[tuple[str, str, str]]:
    """What a fault must leave as it was."""
    return [(row.instance_id, row.state, row.auth_status.value) for row in rows(app)]
