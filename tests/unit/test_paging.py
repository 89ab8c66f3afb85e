"""Cursors: read again as they were written, and refused when anybody else wrote them."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInputError
from app.models import Instance
from app.models.types import AuthStatus
from app.services.instances.listing import SORTS
from app.services.paging import Sort, decode, encode

IDS = st.integers(0, 2**63 - 1)
BY_NAME = Sort(Instance.name_key, Instance.id)
BY_TIME = Sort(Instance.first_seen_at, Instance.id)
BY_ID = Sort(Instance.id, Instance.id)
BY_STATUS = Sort(Instance.auth_status, Instance.id)


class Row(NamedTuple):
    id: int
    name_key: str = ""
    first_seen_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    auth_status: AuthStatus = AuthStatus.AUTHORIZED


def forge(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


class TestACursor:
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), IDS, st.booleans())
    def test_it_comes_back_as_it_went(self, name: str, id_: int, is_backward: bool) -> None:
        cursor = decode(encode(BY_NAME, Row(id_, name_key=name), is_backward=is_backward), BY_NAME)
        assert (cursor.value, cursor.id, cursor.is_backward) == (name, id_, is_backward)

    @given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)), IDS)  # noqa: DTZ001 - the zone follows
    def test_so_do_times_to_the_microsecond(self, moment: datetime, id_: int) -> None:
        row = Row(id_, first_seen_at=moment)
        assert decode(encode(BY_TIME, row, is_backward=False), BY_TIME).value == moment

    def test_so_do_words_of_a_vocabulary(self) -> None:
        row = Row(1, auth_status=AuthStatus.UNAUTHORIZED)
        assert decode(encode(BY_STATUS, row, is_backward=False), BY_STATUS).value is AuthStatus.UNAUTHORIZED

    def test_the_longest_name_fits_into_an_address(self) -> None:
        assert len(encode(BY_NAME, Row(2**63 - 1, name_key="\U0001f680" * 256), is_backward=True)) < 1500


class TestAForgedCursor:
    @given(st.text())
    def test_text_is_refused_cleanly(self, text: str) -> None:
        for column in SORTS.values():
            with pytest.raises(InvalidInputError):
                decode(text, Sort(column, Instance.id))

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
    def test_so_is_anything_that_json_can_say(self, value: Any) -> None:
        with pytest.raises(InvalidInputError):
            decode(forge(*value) if isinstance(value, list) else forge(value), BY_NAME)

    @pytest.mark.parametrize(
        ("sort", "parts"),
        [
            (BY_NAME, (0, "name_key", "a\0b", 1)),
            (BY_NAME, (0, "name_key", "\ud800", 1)),
            (BY_NAME, (0, "name_key", "a", -1)),
            (BY_NAME, (0, "name_key", "a", 2**63)),
            (BY_NAME, (0, "name_key", "a", True)),
            (BY_NAME, (0, "name_key", None, 1)),
            (BY_NAME, (0, "name_key", "a", 1, 1)),
            (BY_NAME, (0, "state", "running", 1)),
            (BY_TIME, (0, "first_seen_at", "running", 1)),
            (BY_TIME, (0, "first_seen_at", "2026-01-01T00:00:00", 1)),
            (BY_TIME, (0, "first_seen_at", "0001-01-01T00:00:00+14:00", 1)),
            (BY_STATUS, (0, "auth_status", "hacked", 1)),
            (BY_ID, (0, "id", "-1", 1)),
            (BY_ID, (0, "id", str(2**63), 1)),
            (BY_ID, (0, "id", "9" * 5000, 1)),
        ],
    )
    def test_so_is_what_the_column_cannot_be_compared_with(self, sort: Sort, parts: tuple[Any, ...]) -> None:
        with pytest.raises(InvalidInputError):
            decode(forge(*parts), sort)
