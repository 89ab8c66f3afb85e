"""Does the jobs that a test has queued, in the test's own process: the real handlers, the real ledger, no broker."""

import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Run
from app.models.types import RunState
from app.tasks.work import perform


def run_jobs(app: Flask, *, limit: int = 20) -> int:
    """Perform what is due, and what that queues in turn; returns how many."""
    count = 0
    with app.app_context():
        while count < limit:
            due = db.session.scalars(sa.select(Run.id).where(Run.state == RunState.QUEUED).order_by(Run.id)).all()
            db.session.rollback()
            done = sum(perform(run_id, worker="tests", lease_seconds=30) for run_id in due)
            if not done:
                break
            count += done
    return count


def reload(app: Flask, account: Account) -> Account:
    """The account as it stands now, detached."""
    with app.app_context():
        found = db.session.get_one(Account, account.id)
        db.session.refresh(found)
        db.session.expunge(found)
    return found
