"""What has changed over all instances, counted and told, on every database."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db, first_id_at
from app.models import Account, Instance, InstanceChange, User
from app.models.mixins import utc_now
from app.models.types import AccountStatus, ChangeKind, Role
from app.services import sifting
from app.services.instances import changes
from app.services.instances.changes import ChangeFilters, count_unseen, list_changes, mark_seen, summarize_changes
from app.services.instances.history import note_changes
from tests.factories import make_account, make_instance, make_user

NOW = utc_now().replace(microsecond=0)
CHANGED, APPEARED, VANISHED, RETURNED = (
    ChangeKind.CHANGED,
    ChangeKind.APPEARED,
    ChangeKind.VANISHED,
    ChangeKind.RETURNED,
)

#: A row of history, and what kind of change it is to who reads it.
ROWS = (
    (APPEARED, "state", None, "running", "appeared"),
    (CHANGED, "state", "stopped", "pending", "started"),
    (CHANGED, "state", "pending", "running", "started"),
    (CHANGED, "launched_at", "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "started"),
    (CHANGED, "state", "running", "stopping", "stopped"),
    (CHANGED, "state", "running", "stopped", "stopped"),
    (CHANGED, "state", "running", "shutting-down", "terminated"),
    (VANISHED, "state", "shutting-down", "terminated", "terminated"),
    (VANISHED, "state", "running", "missing", "vanished"),
    (RETURNED, "state", "missing", "running", "returned"),
    (CHANGED, "public_ip", "", "203.0.113.9", "exposed"),
    (CHANGED, "public_ip", None, "203.0.113.9", "exposed"),
    (CHANGED, "public_ip", "203.0.113.9", "203.0.113.10", "other"),
    (CHANGED, "public_ip", "203.0.113.9", "", "other"),
    (CHANGED, "Imds", "required", "optional", "unprotected"),
    (CHANGED, "Imds", "optional", "required", "other"),
    (CHANGED, "auth_status", "unauthorized", "authorized", "authorization"),
    (CHANGED, "Tags", {"a": "1"}, {"a": "2"}, "tags"),
    (CHANGED, "name", "é", "\U0001f4a5", "tags"),
    (CHANGED, "interruption", None, "terminate", "warned"),
    (CHANGED, "rebalance", None, "", "warned"),
    (CHANGED, "instance_type", "m5.large", "m5.xlarge", "other"),
    (CHANGED, "state", "running", "a state of tomorrow", "other"),
)


class Fleet:
    """An account with one instance, and its history."""

    def __init__(self) -> None:
        self.owner: User = make_user("owner")
        self.account: Account = make_account(self.owner, status=AccountStatus.ACTIVE, account_name="Mine")
        self.instance: Instance = make_instance(self.account)
        self._written = 0

    def tell(self, hours_ago: float, kind: ChangeKind, field: str, before: Any, after: Any) -> None:
        seen_at = NOW - timedelta(hours=hours_ago)
        self._written += 1
        about = {"account_id": self.instance.account_id, "instance_pk": self.instance.id, "seen_at": seen_at}
        told = {"kind": kind, "field": field, "before": before, "after": after}
        db.session.add(InstanceChange(**about, **told, id=first_id_at(seen_at) + self._written))
        db.session.flush()


@pytest.fixture
def fleet(any_database: Flask) -> Iterator[Fleet]:
    with any_database.app_context():
        yield Fleet()
        db.session.rollback()


def since(hours_ago: float = 48, **more: Any) -> ChangeFilters:
    return ChangeFilters(since=NOW - timedelta(hours=hours_ago), **more)


def told(viewer: User, filters: ChangeFilters) -> list[str]:
    """Labels of all steps on all pages, newest first."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = list_changes(viewer, filters, cursor)
        found += [step.label for entry in page.items for step in entry.steps]
        cursor = page.next
        if cursor is None:
            return found


class TestKinds:
    @pytest.mark.parametrize("by_driver", [True, False], ids=["as discoveries write", "as objects"])
    def test_every_row_is_of_the_kind_that_a_reader_would_say(self, fleet: Fleet, by_driver: bool) -> None:
        for kind, field, before, after, wanted in ROWS:
            if by_driver:
                note_changes(fleet.account.id, [(fleet.instance.id, (kind, field, before, after, None))], seen_at=NOW)
            else:
                fleet.tell(1, kind, field, before, after)
            counts = summarize_changes(fleet.owner, since()).of_all.counts
            assert counts == {wanted: 1}, (kind, field, before, after)
            db.session.query(InstanceChange).delete()

    def test_every_kind_has_its_words(self) -> None:
        assert {wanted for *_, wanted in ROWS} == set(changes.KINDS)


class TestTheFeed:
    def test_it_is_told_newest_first_and_within_its_period(self, fleet: Fleet) -> None:
        for hours_ago, field in ((50, "image_id"), (30, "name"), (2, "instance_type"), (1, "lifecycle")):
            fleet.tell(hours_ago, CHANGED, field, "a", "b")
        assert told(fleet.owner, since()) == ["Lifecycle", "Type", "Name"]
        assert told(fleet.owner, since(24)) == ["Lifecycle", "Type"]

    def test_what_was_learned_of_an_instance_at_once_is_one_entry(self, fleet: Fleet) -> None:
        fleet.tell(1, CHANGED, "state", "running", "stopped")
        fleet.tell(1, CHANGED, "name", "a", "b")
        (entry,) = list_changes(fleet.owner, since()).items
        assert [step.label for step in entry.steps] == ["State", "Name"]
        assert (entry.account_name, entry.instance_id) == ("Mine", fleet.instance.instance_id)

    def test_filters_and_pages_go_together(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sifting, "DEPTHS", (3, 4))
        for number in range(30):
            field = "name" if number % 7 == 0 else "image_id"
            fleet.tell(30 - number, CHANGED, field, str(number), str(number + 1))
        assert told(fleet.owner, since(kind="tags")) == ["Name"] * 5
        assert told(fleet.owner, since(field="name", kind="other")) == []
        assert told(fleet.owner, since(account_pk=fleet.account.id, field="image_id")) == ["Image"] * 25
        assert told(fleet.owner, since(account_pk=fleet.account.id + 1)) == []

    def test_everybody_sees_their_own(self, fleet: Fleet) -> None:
        fleet.tell(1, CHANGED, "name", "a", "b")
        stranger, admin = make_user("stranger"), make_user("boss", role=Role.ADMIN)
        stranger.changes_seen_at = admin.changes_seen_at = NOW - timedelta(days=1)
        assert told(stranger, since(account_pk=fleet.account.id)) == []
        assert (summarize_changes(stranger, since()).total, count_unseen(stranger)) == (0, 0)
        assert (told(admin, since()), summarize_changes(admin, since()).total, count_unseen(admin)) == (["Name"], 1, 1)


class TestTheSummary:
    def test_it_is_by_account_and_the_busiest_come_first(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(changes, "MOST_ACCOUNTS", 1)
        for _ in range(2):
            fleet.tell(1, CHANGED, "name", "a", "b")
        for name in ("Quiet", "Also quiet"):
            fleet.instance = make_instance(make_account(fleet.owner, account_name=name))
            fleet.tell(1, CHANGED, "state", "running", "stopped")
        summary = summarize_changes(fleet.owner, since())
        assert [(row.account_name, dict(row.counts)) for row in summary.accounts] == [
            ("Mine", {"tags": 2}),
            ("2 more", {"stopped": 2}),
        ]
        assert (summary.total, summary.of_all.total) == (4, 4)

    def test_counting_ends_somewhere(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(changes, "COUNT_CAP", 2)
        monkeypatch.setattr(changes, "BADGE_CAP", 1)
        for hours_ago in (1, 2, 3, 4):
            fleet.tell(hours_ago, CHANGED, "name", "a", "b")
        summary = summarize_changes(fleet.owner, since())
        assert (summary.total, summary.is_capped) == (2, True)
        fleet.owner.changes_seen_at = NOW - timedelta(days=1)
        assert count_unseen(fleet.owner) == 2


class TestHavingSeen:
    def test_what_came_since_is_new(self, fleet: Fleet) -> None:
        fleet.tell(3, CHANGED, "name", "a", "b")
        assert count_unseen(fleet.owner) == 0, "who never marked anything has no mark to count from"
        mark_seen(fleet.owner, NOW - timedelta(hours=2))
        assert count_unseen(fleet.owner) == 0
        fleet.tell(1, CHANGED, "name", "b", "c")
        assert count_unseen(fleet.owner) == 1

    def test_the_mark_never_moves_back(self, fleet: Fleet) -> None:
        later: datetime = NOW - timedelta(hours=1)
        mark_seen(fleet.owner, later)
        mark_seen(fleet.owner, NOW - timedelta(hours=9))
        assert fleet.owner.changes_seen_at == later
