"""What is counted of each day: equal to the history after everything that writes it, on every database."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import flask_migrate
import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db, first_id_at
from app.models import Account, ChangeTally, Instance, InstanceChange
from app.models.types import ChangeKind, RunKind
from app.services import runs
from app.services.instances.change_tallies import DEEDS, deed_of, find_wrong_change_tallies
from app.services.instances.history import note_changes
from app.services.retention import prune_changes
from demo.aws.cloud import SimulatedAws
from tests.databases import EVERY_KIND, Databases
from tests.factories import make_account, make_instance, make_user
from tests.integration.customers import AWS_ID, connected
from tests.jobs import run_jobs

CHANGED, VANISHED = ChangeKind.CHANGED, ChangeKind.VANISHED

#: Kind, field, before, after, and what that is counted as.
LIVES: list[tuple[ChangeKind, str, Any, Any, str | None]] = [
    (ChangeKind.APPEARED, "state", None, "running", "appeared"),
    (ChangeKind.RETURNED, "state", "missing", "stopped", "appeared"),
    (CHANGED, "state", "stopped", "pending", "started"),
    (CHANGED, "state", "stopped", "running", "started"),
    (CHANGED, "state", "pending", "running", None),
    (CHANGED, "state", "running", "stopping", "stopped"),
    (CHANGED, "state", "stopping", "stopped", None),
    (CHANGED, "state", "running", "shutting-down", "terminated"),
    (CHANGED, "state", "shutting-down", "terminated", None),
    (CHANGED, "state", "missing", "terminated", "terminated"),
    (VANISHED, "state", "running", "missing", "vanished"),
    (VANISHED, "state", "shutting-down", "terminated", None),
    (CHANGED, "state", "running", "hovering", None),
    (CHANGED, "name", "stopped", "running", None),
    (CHANGED, "Tags", {"a": "1"}, {"a": "2"}, None),
]


@pytest.mark.parametrize(("kind", "field", "before", "after", "deed"), LIVES)
def test_a_change_is_counted_as_what_it_is(kind: ChangeKind, field: str, before: Any, after: Any, deed: str) -> None:
    assert deed_of(kind, field, before, after) == deed


def days(app: Flask) -> dict[date, tuple[int, ...]]:
    """Readings and deeds of every day that is kept."""
    with app.app_context():
        rows = db.session.scalars(sa.select(ChangeTally)).all()
        return {row.day: tuple(getattr(row, name) for name in ("readings", *DEEDS)) for row in rows}


def wrong(app: Flask) -> Sequence[str]:
    with app.app_context():
        return [line for pk in db.session.scalars(sa.select(Account.id)) for line in find_wrong_change_tallies(pk)]


class TestTheCounts:
    def test_they_follow_readings(self, any_database: Flask, aws: SimulatedAws) -> None:
        with any_database.app_context():
            owner = make_user("owner")
            db.session.commit()
            db.session.refresh(owner)
            db.session.expunge(owner)
        first, second, third = aws.run_instances(AWS_ID, "us-east-1", 3)
        account = connected(any_database, aws, owner)
        run_jobs(any_database)
        today = datetime.now(UTC).date()
        assert days(any_database) == {today: (1, 3, 0, 0, 0, 0)}

        aws.forget_instance(AWS_ID, "us-east-1", first.id)
        aws.instance(AWS_ID, "us-east-1", second.id)._state.name = "stopped"
        aws.instance(AWS_ID, "us-east-1", third.id)._state.name = "shutting-down"
        aws.run_instances(AWS_ID, "eu-west-1", 1)
        with any_database.app_context():
            runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, account.id))
            db.session.commit()
        run_jobs(any_database)
        assert days(any_database) == {today: (2, 4, 0, 1, 1, 1)}
        assert wrong(any_database) == []

    def test_every_kind_of_change_counts_the_same_in_the_rows(self, any_database: Flask) -> None:
        long_ago = datetime(2026, 3, 29, 23, 59, 59, tzinfo=UTC)
        with any_database.app_context():
            account = make_account(make_user())
            instance = make_instance(account)
            for seen_at in (long_ago, long_ago + timedelta(seconds=1)):
                changes = [(instance.id, (*life[:4], None)) for life in LIVES]
                note_changes(account.id, changes, seen_at=seen_at)
            db.session.commit()
        of_each_day = (0, 2, 2, 1, 2, 1)
        assert days(any_database) == {date(2026, 3, 29): of_each_day, date(2026, 3, 30): of_each_day}
        assert wrong(any_database) == []

    def test_what_is_wrong_is_found_and_mended(self, any_database: Flask) -> None:
        self.test_every_kind_of_change_counts_the_same_in_the_rows(any_database)
        with any_database.app_context():
            db.session.execute(sa.update(ChangeTally).where(ChangeTally.day == date(2026, 3, 29)).values(started=7))
            db.session.execute(sa.delete(ChangeTally).where(ChangeTally.day == date(2026, 3, 30)))
            db.session.commit()
        found = wrong(any_database)
        assert "change_tallies: 7 instead of 2 started on 2026-03-29" in found
        assert "change_tallies: 0 instead of 2 terminated on 2026-03-30" in found
        assert len(found) == 1 + len(DEEDS)
        with any_database.app_context():
            find_wrong_change_tallies(db.session.scalars(sa.select(Account.id)).one(), mend=True)
            db.session.commit()
        assert wrong(any_database) == []

    def test_a_day_is_forgotten_whole_before_its_history(self, any_database: Flask) -> None:
        now = datetime.now(UTC)
        with any_database.app_context():
            account = make_account(make_user())
            instance = make_instance(account)
            for ago in (1, 29, 30, 31):
                seen_at = now - timedelta(days=ago)
                note_changes(
                    account.id, [(instance.id, (VANISHED, "state", "running", "missing", None))], seen_at=seen_at
                )
                newest = sa.select(sa.func.max(InstanceChange.id)).scalar_subquery()
                made = db.session.scalar(sa.select(newest))
                # As if the id had been given then.
                db.session.execute(
                    sa.update(InstanceChange).where(InstanceChange.id == made).values(id=first_id_at(seen_at) + 7)
                )
            db.session.commit()
            # The history of half a day goes, and half stays.
            prune_changes(older_than=now - timedelta(days=30) + timedelta(seconds=1))
        assert sorted(days(any_database)) == [(now - timedelta(days=ago)).date() for ago in (29, 1)]
        assert wrong(any_database) == []


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_an_older_history_is_counted_when_the_schema_is_brought_up(kind: str, databases: Databases) -> None:
    app = databases.app_on(databases.create(kind))
    seen_at = datetime(2026, 3, 29, 23, 59, 59, tzinfo=UTC)
    with app.app_context():
        flask_migrate.upgrade()
        account = make_account(make_user())
        instance: Instance = make_instance(account)
        note_changes(account.id, [(instance.id, (*life[:4], None)) for life in LIVES], seen_at=seen_at)
        db.session.commit()
        before = days(app)
        db.session.remove()
        flask_migrate.downgrade(revision="0013")
        flask_migrate.upgrade()
    # That something was found says that the account was read, and not how often.
    assert days(app) == {day: (1, *counts[1:]) for day, counts in before.items()}
    assert wrong(app) == []
