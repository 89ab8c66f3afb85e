"""A stored value means the same on every database: times, decimals, text, JSON."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import StatementError

from app.database import db
from tests.integration.database.rows import insert, insert_rows, rows

TABLES = db.metadata.tables
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def connection(connection: Connection) -> Connection:
    insert_rows(connection, 1)
    return connection


def keep(connection: Connection, table: str, column: str, value: Any) -> Any:
    """What comes back of a value."""
    connection.execute(sa.update(TABLES[table]).values({column: value}))
    return connection.scalar(sa.select(TABLES[table].c[column]))


class TestTimes:
    @pytest.mark.parametrize(
        "moment",
        [
            datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC),
            datetime(2026, 5, 4, 12, 0, 0, 1, tzinfo=UTC),
            datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0),
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
            datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN),
            datetime(2026, 5, 4, 12, 0, tzinfo=timezone(timedelta(hours=-11, minutes=-30))),
            datetime(1970, 1, 1, tzinfo=UTC),
            datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        ],
    )
    def test_a_moment_comes_back_as_itself_in_utc(self, connection: Connection, moment: datetime) -> None:
        found = keep(connection, "accounts", "verified_at", moment)
        assert found == moment.astimezone(UTC)
        assert found.tzinfo is UTC

    def test_the_hour_that_happens_twice_stays_two_hours(self, connection: Connection) -> None:
        first, second = (datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold) for fold in (0, 1))
        accounts = TABLES["accounts"]
        connection.execute(sa.update(accounts).values(verified_at=first, last_good_at=second))
        [found] = connection.execute(sa.select(accounts.c.verified_at, accounts.c.last_good_at)).all()
        assert found[1] - found[0] == timedelta(hours=1)

    def test_a_time_without_a_zone_is_refused(self, connection: Connection) -> None:
        with pytest.raises(StatementError, match="must be aware"):
            keep(connection, "accounts", "verified_at", datetime(2026, 5, 4, 12, 0))  # noqa: DTZ001

    def test_none_stays_none(self, connection: Connection) -> None:
        assert keep(connection, "accounts", "verified_at", None) is None

    def test_the_database_compares_them_as_we_do(self, connection: Connection) -> None:
        moment = datetime(2026, 5, 4, 12, 0, 0, 500000, tzinfo=UTC)
        keep(connection, "accounts", "verified_at", moment)
        column = TABLES["accounts"].c.verified_at
        step = timedelta(microseconds=1)
        there = moment.astimezone(BERLIN)
        for condition, holds in (
            (column == there, 1),
            (column < there + step, 1),
            (column < there, 0),
            (column > there - step, 1),
        ):
            assert connection.scalar(sa.select(sa.func.count()).where(condition)) == holds


class TestDecimals:
    @pytest.mark.parametrize(
        "text",
        ["0", "0.1", "0.00000001", "-0.00000001", "1234567890.12345678", "9999999999.99999999", "-9999999999.99999999"],
    )
    def test_a_price_comes_back_to_the_last_place(self, connection: Connection, text: str) -> None:
        found = keep(connection, "experiment_logs", "hourly_saving", Decimal(text))
        assert (type(found), found) == (Decimal, Decimal(text))
        assert found.as_tuple().exponent == -8

    def test_sums_are_exact(self, connection: Connection) -> None:
        for n in range(2, 8):
            insert_rows(connection, n, only=("users", "accounts", "instances", "experiment_logs"))
        keep(connection, "experiment_logs", "hourly_saving", Decimal("0.1"))
        assert connection.scalar(sa.select(sa.func.sum(TABLES["experiment_logs"].c.hourly_saving))) == Decimal("0.7")

    def test_a_float_is_refused(self, connection: Connection) -> None:
        with pytest.raises(StatementError, match="not float"):
            keep(connection, "experiment_logs", "hourly_saving", 0.1)


class TestText:
    WORDS = (
        "",
        "10",
        "9",
        "A",
        "B",
        "Z",
        "_",
        "a",
        "a ",
        "a b",
        "aa",
        "b",
        "e\u0301",
        "z",
        "Ä",
        "ß",
        "\u00e9",
        "東",
        "😀",
    )

    def fill(self, connection: Connection) -> None:
        connection.execute(sa.delete(TABLES["instances"]))
        for number, word in enumerate(self.WORDS[::-1]):
            values = rows(1)["instances"]
            insert(
                connection, "instances", {**values, "id": number + 1, "instance_id": f"i-{number}", "name_key": word}
            )

    def test_order_is_by_code_point(self, connection: Connection) -> None:
        self.fill(connection)
        column = TABLES["instances"].c.name_key
        found = connection.scalars(sa.select(column).order_by(column)).all()
        assert found == sorted(self.WORDS)

    def test_case_accents_and_spaces_tell_words_apart(self, connection: Connection) -> None:
        self.fill(connection)
        column = TABLES["instances"].c.name_key
        for word in ("a", "a ", "A", "e\u0301", "\u00e9", "ß", "😀"):
            found = connection.scalars(sa.select(column).where(column == word)).all()
            assert found == [word]

    def test_a_prefix_is_a_range(self, connection: Connection) -> None:
        self.fill(connection)
        column = TABLES["instances"].c.name_key
        found = connection.scalars(sa.select(column).where(column >= "a", column < "b").order_by(column)).all()
        assert found == ["a", "a ", "a b", "aa"]

    @pytest.mark.parametrize(
        "text", ["😀👩‍👩‍👧", "\U0001d4b3" * 128, "東京", "a\tb\nc\\'\"%_`;--", "\u202e\u200b", "x" * 128]
    )
    def test_any_text_comes_back(self, connection: Connection, text: str) -> None:
        assert keep(connection, "accounts", "account_name", text) == text
        assert keep(connection, "system_logs", "message", text) == text
        assert keep(connection, "system_logs", "details", {text: [text, None, 1.5, True]}) == {
            text: [text, None, 1.5, True]
        }

    def test_a_long_text_fits(self, connection: Connection) -> None:
        assert len(keep(connection, "accounts", "error_message", "é" * 20_000)) == 20_000

    def test_an_id_of_63_bits_comes_back(self, connection: Connection) -> None:
        assert keep(connection, "system_logs", "user_id", 2**63 - 1) == 2**63 - 1
