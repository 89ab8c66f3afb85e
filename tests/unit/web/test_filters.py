"""Values turned into words."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from app.web.filters import (
    NOTHING,
    bytes_,
    clock,
    duration,
    exact_time,
    iso,
    money,
    number,
    percent_floor,
    plural,
    relative_time,
)

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


class TestTimes:
    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3599, "59 minutes ago"),
            (3600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (86_400 * 45, "1 month ago"),
            (86_400 * 800, "2 years ago"),
            (-59, "just now"),
            (-7200, "in 2 hours"),
        ],
    )
    def test_it_says_how_long_ago_rounded_down(self, seconds: int, words: str) -> None:
        assert relative_time(NOON - timedelta(seconds=seconds), NOON) == words

    def test_never_is_a_word(self) -> None:
        assert relative_time(None) == "never"

    @pytest.mark.parametrize(
        ("zone", "text"),
        [
            ("UTC", "2026-07-01 12:00:00 UTC"),
            ("Europe/Berlin", "2026-07-01 14:00:00 CEST"),
            ("Asia/Kathmandu", "2026-07-01 17:45:00 +0545"),
            ("Nowhere/Never", "2026-07-01 12:00:00 UTC"),
            ("../etc/passwd", "2026-07-01 12:00:00 UTC"),
        ],
    )
    def test_an_exact_time_names_its_zone(self, zone: str, text: str) -> None:
        assert exact_time(NOON, zone) == text

    def test_the_two_hours_that_are_one_by_the_clock_differ(self) -> None:
        before = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
        shown = [exact_time(before + timedelta(hours=n), "Europe/Berlin") for n in range(2)]
        assert shown == ["2026-10-25 02:30:00 CEST", "2026-10-25 02:30:00 CET"]

    @pytest.mark.parametrize(
        ("hours_ago", "zone", "text"),
        [
            (0, "UTC", "12:00"),
            (11, "UTC", "01:00"),
            (13, "UTC", "2026-06-30 23:00"),
            (13, "Europe/Berlin", "01:00"),
            (24, "UTC", "2026-06-30 12:00"),
        ],
    )
    def test_the_time_of_day_says_the_day_where_it_is_another(self, hours_ago: int, zone: str, text: str) -> None:
        assert clock(NOON - timedelta(hours=hours_ago), zone, now=NOON) == text

    @pytest.mark.parametrize(
        ("seconds", "words"),
        [
            (0, "0.0 s"),
            (0.49, "0.4 s"),
            (9.99, "9.9 s"),
            (59.9, "59 s"),
            (60, "1 min 0 s"),
            (192, "3 min 12 s"),
            (3599.9, "59 min 59 s"),
            (3900, "1 h 5 min"),
            (1_000 * 3600, "1,000 h 0 min"),
            (-3, "0.0 s"),
        ],
    )
    def test_a_duration_has_its_two_largest_units_rounded_down(self, seconds: float, words: str) -> None:
        assert duration(timedelta(seconds=seconds)) == words

    def test_no_time_is_a_dash(self) -> None:
        assert clock(None) == duration(None) == NOTHING

    def test_iso_is_in_utc(self) -> None:
        assert iso(NOON) == "2026-07-01T12:00:00Z"
        assert iso(None) == ""


class TestShares:
    @pytest.mark.parametrize(
        ("ratio", "text"),
        [
            (Decimal("0.99996"), "99.99%"),
            (Decimal("0.999999999"), "99.99%"),
            (Decimal(1), "100%"),
            (Decimal("0.5"), "50.00%"),
            (Decimal(0), "0.00%"),
            (None, "no data"),
        ],
    )
    def test_they_are_rounded_down_and_never_up_to_a_hundred(self, ratio: Decimal | None, text: str) -> None:
        assert percent_floor(ratio) == text

    def test_a_part_of_nothing_is_no_data(self) -> None:
        assert percent_floor(0, 0) == "no data"
        assert percent_floor(2, 3) == "66.66%"
        assert percent_floor(3, 3) == "100%"


class TestAmounts:
    def test_numbers_are_grouped(self) -> None:
        assert number(1_234_567) == "1,234,567"
        assert number(0) == "0"
        assert number(None) == "\N{EN DASH}"

    def test_money_keeps_its_sign_in_front(self) -> None:
        assert money(Decimal("1234.5")) == "$1,234.50"
        assert money(Decimal("-0.672"), places=3) == "\N{MINUS SIGN}$0.672"
        assert money(Decimal("9.99"), "EUR") == "9.99 EUR"
        assert money(Decimal("-0.001")) == "$0.00"

    def test_bytes_have_binary_units(self) -> None:
        assert [bytes_(n) for n in (0, 1023, 1024, 1_500_000)] == ["0 B", "1023 B", "1.0 KiB", "1.4 MiB"]

    def test_nouns_follow_their_count(self) -> None:
        assert [plural(n, "instance") for n in (0, 1, 12_000)] == ["0 instances", "1 instance", "12,000 instances"]
        assert plural(2, "person", "people") == "2 people"
