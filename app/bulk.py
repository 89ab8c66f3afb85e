"""Writes many rows by the quickest honest way of each database; nothing here knows a table.

The driver's own executemany with tuples: row by row through the ORM the same rows take ten times as long and more
(`benchmarks/writes.py`). PostgreSQL takes very many by COPY into a table of the transaction's own.
"""

import importlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.orm import Session

from app.columns import Json, UtcDateTime

#: From so many rows on, COPY pays for the table that it needs.
COPY_FROM = 200

Row = Sequence[Any]


def own_insert(session: Session, table: sa.Table) -> Any:
    """The INSERT of the database in use, which knows how it may end in an update; of the others nothing is loaded."""
    return importlib.import_module(f"sqlalchemy.dialects.{session.get_bind().dialect.name}").insert(table)


def insert_rows(connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """INSERT the rows, whose values stand in the order of `columns`; JSON is given as text."""
    _write(connection, table, columns, rows, "")


def upsert_rows(
    connection: Connection,
    table: sa.Table,
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    key: Sequence[str],
    keep: Sequence[str] = (),
) -> None:
    """INSERT the rows, or UPDATE those whose `key` columns exist already.

    Values stand in the order of `columns`; JSON is given as text. Columns in `key` and `keep` are written on insert
    only.
    """
    quote = connection.dialect.identifier_preparer.quote
    updated = [quote(name) for name in columns if name not in {*key, *keep}]
    if connection.dialect.name == "mysql":
        # MariaDB knows no other way to say it, and MySQL still knows this one.
        ending = "ON DUPLICATE KEY UPDATE " + ", ".join(f"{name} = VALUES({name})" for name in updated)
    else:
        found = ", ".join(map(quote, key))
        assignments = ", ".join(f"{name} = excluded.{name}" for name in updated)
        ending = f"ON CONFLICT ({found}) DO UPDATE SET {assignments}"  # nosec B608 - names of our own
    _write(connection, table, columns, rows, ending)


def _write(connection: Connection, table: sa.Table, columns: Sequence[str], rows: Sequence[Row], ending: str) -> None:
    if not rows:
        return
    dialect = connection.dialect
    quote = dialect.identifier_preparer.quote
    names = ", ".join(map(quote, columns))
    bound = _bound(table, columns, rows, dialect)
    if dialect.name == "postgresql" and len(rows) >= COPY_FROM:
        _copy(connection, quote(table.name), names, bound, ending)
        return
    marks = ", ".join(("?" if dialect.name == "sqlite" else "%s",) * len(columns))
    statement = f"INSERT INTO {quote(table.name)} ({names}) VALUES ({marks}) {ending}"  # noqa: S608 # nosec B608 - names of our own
    connection.exec_driver_sql(statement, bound)


def _copy(connection: Connection, table: str, names: str, rows: Sequence[Row], ending: str) -> None:
    """Into a table like the other without its indexes, and from there; PostgreSQL checks constraints on the way."""
    passing = f"{table}_passing"
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE IF NOT EXISTS {passing} (LIKE {table}) ON COMMIT DROP")
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {passing} ({names}) FROM STDIN"
    driver_error = connection.dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except driver_error as error:
        # SQLAlchemy has not seen it: whoever asks for its errors would miss this one.
        raise sa.exc.DBAPIError.instance(
            statement, None, error, driver_error, hide_parameters=True, dialect=connection.dialect
        ) from error
    connection.exec_driver_sql(
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {passing} {ending}"  # noqa: S608 # nosec B608 - names of our own
    )
    connection.exec_driver_sql(f"TRUNCATE {passing}")


def _bound(table: sa.Table, columns: Sequence[str], rows: Sequence[Row], dialect: Dialect) -> list[tuple[Any, ...]]:
    """The rows as the driver takes them: every column by what SQLAlchemy would do to it, JSON as it is."""
    makers, is_sqlite = {}, dialect.name == "sqlite"
    for place, name in enumerate(columns):
        kind = table.columns[name].type
        if isinstance(kind, Json):
            continue
        maker = kind.dialect_impl(dialect).bind_processor(dialect)
        if maker is not None:
            makers[place] = _once(_sqlite_time if is_sqlite and isinstance(kind, UtcDateTime) else maker)
    if not makers:
        return [tuple(row) for row in rows]
    bound = []
    for row in rows:
        values = list(row)
        for place, make in makers.items():
            values[place] = make(values[place])
        bound.append(tuple(values))
    return bound


def _once(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same for many values: most rows share their times and statuses."""
    made: dict[Any, Any] = {}

    def make_once(value: Any) -> Any:
        if value not in made:
            made[value] = make(value)
        return made[value]

    return make_once


def _sqlite_time(value: datetime | None) -> str | None:
    """What `UtcDateTime` makes of it on SQLite, in a third of the time."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise TypeError("A stored time must be aware")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
