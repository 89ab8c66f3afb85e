"""What an instance was at a moment: rebuilt from the present, whatever has happened since."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models.instance_change import FACTS, FIELDS, TAGS
from app.models.types import ChangeKind
from app.services.instances.comparison import lines_of, words
from app.services.instances.moments import Key, Portrait, rebuild

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

NAMES = (*FIELDS, *FACTS)
TAG_KEYS = ("team", "env", "")
VALUES = st.sampled_from(["", "a", "b", "c"])
PORTRAITS = st.fixed_dictionaries({(name, ""): VALUES for name in NAMES}).flatmap(
    lambda fields: st.dictionaries(st.sampled_from([(TAGS, key) for key in TAG_KEYS]), VALUES).map(
        lambda tags: {**fields, **tags}
    )
)


@dataclass(frozen=True)
class Row:
    """A row of `instance_changes`, hours after noon."""

    id: int
    field: str
    before: Any
    after: Any
    kind: ChangeKind = ChangeKind.CHANGED
    seen: float = 0
    happened: float | None = None

    @property
    def seen_at(self) -> datetime:
        return at(self.seen)

    @property
    def happened_at(self) -> datetime | None:
        return None if self.happened is None else at(self.happened)


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def differences(before: Portrait, after: Portrait) -> dict[Key, tuple[Any, Any]]:
    """(before, after) of every key that differs; None for a tag that is not there."""
    keys = sorted(before.keys() | after.keys())
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def history(portraits: list[dict[Key, Any]]) -> list[Row]:
    """The rows that discoveries would have written, one an hour, that saw the instance like this."""
    rows: list[Row] = []
    for hour, (old, new) in enumerate(itertools.pairwise(portraits), start=1):
        changed = differences(old, new)
        for (name, _), (before, after) in changed.items():
            if name != TAGS:
                rows.append(Row(len(rows), name, before, after, seen=hour))
        tags = {key: pair for (name, key), pair in changed.items() if name == TAGS}
        if tags:
            both = [{key: pair[i] for key, pair in tags.items() if pair[i] is not None} for i in (0, 1)]
            rows.append(Row(len(rows), TAGS, *both, seen=hour))
    return rows


class TestRebuilding:
    @given(st.lists(PORTRAITS, min_size=1, max_size=6), st.randoms())
    def test_every_moment_is_what_it_was(self, portraits: list[dict[Key, Any]], dice: Any) -> None:
        rows = history(portraits)
        dice.shuffle(rows)
        for hour, portrait in enumerate(portraits):
            assert rebuild(portraits[-1], rows, at(hour)) == portrait
            later = [row for row in rows if row.seen > hour]
            assert rebuild(portraits[-1], later, at(hour + 0.5)) == portrait

    @pytest.mark.parametrize(
        ("hour", "state"),
        [(0, "running"), (1.9, "running"), (2, "stopping"), (2.5, "stopped"), (4.5, "running"), (5, "running")],
    )
    def test_a_state_counts_from_when_aws_says_it_happened(self, hour: float, state: str) -> None:
        rows = [
            Row(0, "state", None, "running", kind=ChangeKind.APPEARED, seen=0, happened=-900),
            Row(1, "state", "running", "stopping", seen=3, happened=2),
            Row(2, "state", "stopping", "stopped", seen=3, happened=2.5),
            Row(3, "interruption", None, "stop", seen=3),
            Row(4, "state", "stopped", "running", seen=4.5),
            Row(5, "launched_at", "x", "y", seen=6, happened=6),
        ]
        assert rebuild({("state", ""): "running"}, rows, at(hour)) == {("state", ""): state}

    def test_what_history_does_not_tell_of_stays_as_it_is(self) -> None:
        rows = [Row(0, "a field of tomorrow", "old", "new", seen=5)]
        assert rebuild({("state", ""): "running"}, rows, NOON) == {("state", ""): "running"}

    def test_missing_and_back_again_is_told_as_such(self) -> None:
        rows = [
            Row(0, "state", "running", "missing", kind=ChangeKind.VANISHED, seen=1),
            Row(1, "state", "missing", "stopped", kind=ChangeKind.RETURNED, seen=2),
        ]
        assert [rebuild({("state", ""): "stopped"}, rows, at(hour))["state", ""] for hour in (0, 1, 2)] == [
            "running",
            "missing",
            "stopped",
        ]


class TestTwoPortraitsSideBySide:
    @given(PORTRAITS, PORTRAITS)
    def test_each_side_says_all_of_its_own_and_nothing_else(self, one: Any, other: Any) -> None:
        lines = list(lines_of(one, other))
        assert len(lines) == len(one.keys() | other.keys())
        for side, portrait in (("before", one), ("after", other)):
            said = sorted(filter(None, (getattr(line, side) for line in lines)))
            assert said == sorted(filter(None, (words(key, value) for key, value in portrait.items())))

    @given(PORTRAITS)
    def test_nothing_differs_from_itself(self, portrait: Any) -> None:
        assert not any(line.is_changed for line in lines_of(portrait, portrait))

    @given(PORTRAITS, PORTRAITS)
    def test_what_differs_and_nothing_else_is_told_as_changed(self, one: Any, other: Any) -> None:
        changed = [line for line in lines_of(one, other) if line.is_changed]
        assert len(changed) == len(differences(one, other))
