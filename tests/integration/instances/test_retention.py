"""The history of instances is forgotten when it is old, and no sooner, on every database."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from flask import Flask

from app.database import db, first_id_at, new_id
from app.models import InstanceChange
from app.models.types import ChangeKind, RunKind
from app.services import runs
from app.services.retention import prune_changes
from tests.factories import make_account, make_instance, make_user
from tests.jobs import run_jobs

NOW = datetime.now(UTC)


def note(app: Flask, *ages: timedelta) -> None:
    """One change of each age, with the id that it would have been given then."""
    with app.app_context():
        account = make_account(make_user())
        instance = make_instance(account)
        for age in ages:
            db.session.add(
                InstanceChange(
                    id=first_id_at(NOW - age) + 7,
                    account_id=account.id,
                    instance_pk=instance.id,
                    kind=ChangeKind.CHANGED,
                    field="state",
                    seen_at=NOW - age,
                )
            )
        db.session.commit()


def kept(app: Flask) -> list[int]:
    """Ages of what is left, in days."""
    with app.app_context():
        return sorted((NOW - at).days for at in db.session.scalars(sa.select(InstanceChange.seen_at)))


class TestHistory:
    def test_what_is_older_than_asked_for_is_forgotten(self, any_database: Flask) -> None:
        note(any_database, timedelta(days=1), timedelta(days=29), timedelta(days=31), timedelta(days=60))
        with any_database.app_context():
            assert prune_changes(older_than=NOW - timedelta(days=30)) == 2
        assert kept(any_database) == [1, 29]

    def test_the_nightly_job_keeps_more_than_a_year(self, app: Flask) -> None:
        note(app, timedelta(days=100), timedelta(days=200))
        with app.app_context():
            runs.enqueue(RunKind.PRUNE)
            db.session.commit()
        run_jobs(app)
        assert kept(app) == [100, 200]

    def test_ids_tell_the_time_at_which_they_were_made(self) -> None:
        made = new_id()
        assert first_id_at(datetime.now(UTC) - timedelta(seconds=5)) < made
        assert made < first_id_at(datetime.now(UTC) + timedelta(seconds=5))
        assert first_id_at(datetime(2020, 1, 1, tzinfo=UTC)) == 0
