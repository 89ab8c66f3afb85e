"""The list as it stood at a moment, on every database, against what a diary says."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db, first_id_at
from app.models import Account, Instance, InstanceChange, User
from app.models.mixins import utc_now
from app.models.types import AccountStatus, ChangeKind, Role
from app.services import scope, sifting
from app.services.instances.filters import InstanceFilters
from app.services.instances.past import PastInstance, list_past, list_unread_accounts
from tests.factories import make_account, make_instance, make_user

BEGINNING = (utc_now() - timedelta(days=30)).replace(minute=0, second=0, microsecond=0)

STATES = ("running", "stopped", "terminated")
TYPES = ("m5.large", "m5.xlarge")


def at(hours: float) -> datetime:
    return BEGINNING + timedelta(hours=hours)


@dataclass
class Diary:
    """What each instance was after each hour, by its name; None before it was seen."""

    account: Account
    viewer: User
    pages: list[dict[str, tuple[str, str] | None]]


def _tell(instance: Instance, hour: float, field: str, before: Any, after: Any, **more: Any) -> None:
    about = {"account_id": instance.account_id, "instance_pk": instance.id, "kind": ChangeKind.CHANGED}
    told = {"field": field, "before": before, "after": after, "seen_at": at(hour)}
    db.session.add(InstanceChange(**{**about, **told, **more}, id=first_id_at(at(hour)) + random.getrandbits(21)))


@pytest.fixture
def diary(any_database: Flask) -> Iterator[Diary]:
    """40 instances over 12 hours: they appear, change state and type, or do nothing at all."""
    dice = random.Random(7)
    with any_database.app_context():
        viewer = make_user("owner")
        account = make_account(viewer, status=AccountStatus.ACTIVE, baseline_at=at(0))
        pages: list[dict[str, tuple[str, str] | None]] = [{} for _ in range(12)]
        for number in range(40):
            name, born = f"n{number:02}", dice.randrange(6)
            now = (dice.choice(STATES), dice.choice(TYPES))
            instance = make_instance(account, name=name, first_seen_at=at(born))
            told = {"kind": ChangeKind.APPEARED, "happened_at": at(born - 99)}
            _tell(instance, born, "state", None, now[0], **told)
            for hour in range(12):
                if hour < born:
                    pages[hour][name] = None
                    continue
                if hour > born and dice.random() < 0.3:
                    then = (dice.choice(STATES), dice.choice(TYPES))
                    for field, before, after in zip(("state", "instance_type"), now, then, strict=True):
                        # Seen half an hour after AWS says that it happened, where it says so.
                        happened = {"happened_at": at(hour)} if field == "state" else {}
                        if before != after:
                            _tell(instance, hour + (0.5 if happened else 0), field, before, after, **happened)
                    now = then
                pages[hour][name] = now
            instance.state, instance.instance_type = now
        db.session.flush()
        yield Diary(account, viewer, pages)
        db.session.rollback()


def all_of(diary: Diary, moment: datetime, **filters: tuple[str, ...]) -> list[PastInstance]:
    """The whole list, page by page."""
    found: list[PastInstance] = []
    cursor: str | None = None
    while True:
        page = list_past(diary.viewer, InstanceFilters(**filters), moment, cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


class TestTheList:
    def test_every_moment_is_as_the_diary_has_it(self, diary: Diary) -> None:
        for hour, page in enumerate(diary.pages):
            listed = {row.name: (row.state, row.instance_type) for row in all_of(diary, at(hour + 0.1))}
            assert listed == {name: was for name, was in page.items() if was is not None}

    def test_a_filter_finds_what_was_so_then(self, diary: Diary) -> None:
        for hour, page in enumerate(diary.pages):
            for state in STATES:
                wanted = {name for name, was in page.items() if was == (state, "m5.large")}
                listed = all_of(diary, at(hour + 0.1), state=(state,), type=("m5.large",))
                assert {row.name for row in listed} == wanted

    def test_it_says_what_is_different_since(self, diary: Diary) -> None:
        now = diary.pages[-1]
        for row in all_of(diary, at(6.1)):
            state, type_ = now[row.name] or ("", "")
            told = [
                label
                for label, differs in (("State", row.state != state), ("Type", row.instance_type != type_))
                if differs
            ]
            assert row.changed_since == told

    def test_it_is_paged_both_ways_without_a_gap(self, diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
        """Few candidates a page, so that pages end short, and empty."""
        monkeypatch.setattr(sifting, "DEPTHS", (2, 3))
        filters = InstanceFilters(state=("terminated",))
        wanted = [row.name for row in all_of(diary, at(8.1), state=("terminated",))]
        assert wanted == sorted(name for name, was in diary.pages[8].items() if was and was[0] == "terminated")
        cursor, pages = None, []
        while True:
            page = list_past(diary.viewer, filters, at(8.1), cursor)
            pages.append(page)
            if page.next is None:
                break
            cursor = page.next
        assert any(page.is_cut for page in pages)
        assert pages[0].previous is None
        back: list[str] = []
        page = pages[-1]
        while page.previous:
            back = [row.name for row in page.items] + back
            page = list_past(diary.viewer, filters, at(8.1), page.previous)
        assert [row.name for row in page.items] + back == wanted

    def test_somebody_else_sees_nothing_of_it(self, diary: Diary) -> None:
        stranger, admin = make_user("stranger"), make_user("boss", role=Role.ADMIN)
        filters = InstanceFilters(account=(str(diary.account.id),))
        assert list_past(stranger, filters, at(8)).items == []
        assert list_unread_accounts(stranger, InstanceFilters(), at(-1)) == ([], 0)
        assert len(list_past(admin, filters, at(8)).items) == 40

    def test_who_has_many_accounts_is_shown_the_same(self, diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
        each_by_itself = all_of(diary, at(8.1))
        other = make_account(diary.viewer)
        make_instance(other, name="n055", first_seen_at=at(0))
        assert [row.name for row in all_of(diary, at(8.1))] == sorted([*(row.name for row in each_by_itself), "n055"])
        monkeypatch.setattr(scope, "MOST_PARTS", 1)
        assert [row.name for row in all_of(diary, at(8.1))] == sorted([*(row.name for row in each_by_itself), "n055"])
        assert all_of(diary, at(8.1), account=(str(diary.account.id),)) == each_by_itself
        assert list_past(make_user("stranger"), InstanceFilters(), at(8.1)).items == []

    def test_an_account_that_was_read_later_is_named(self, diary: Diary) -> None:
        make_account(diary.viewer, account_name="never")
        assert list_unread_accounts(diary.viewer, InstanceFilters(), at(5)) == ([("never", None)], 1)
        names = [(diary.account.account_name, at(0)), ("never", None)]
        assert list_unread_accounts(diary.viewer, InstanceFilters(), at(-1)) == (names, 2)

    @pytest.mark.parametrize("filters", [{}, {"type": ("m5.large",)}, {"type": ("none",)}])
    def test_it_costs_four_statements_whatever_is_asked(self, diary: Diary, filters: Any) -> None:
        statements: list[str] = []
        note = lambda *args: statements.append(args[2])  # noqa: E731 - one object, to be taken off again
        sa.event.listen(db.engine, "before_cursor_execute", note)
        list_past(diary.viewer, InstanceFilters(**filters), at(8))
        sa.event.remove(db.engine, "before_cursor_execute", note)
        assert len(statements) == (3 if filters.get("type") == ("none",) else 4)
