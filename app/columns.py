"""Column types that mean the same on SQLite, MariaDB, MySQL and PostgreSQL; nothing here knows a table."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time with microseconds; a naive one is refused rather than guessed at."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            from sqlalchemy.dialects import mysql  # large, and of no use to the other databases

            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("A stored time must be aware: datetime.now(UTC), not datetime.now()")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(sa.types.TypeDecorator[Decimal]):
    """A decimal with a fixed number of places; on SQLite a scaled integer, because its NUMERIC is a float."""

    impl = sa.Numeric
    cache_ok = True

    def __init__(self, precision: int = 18, scale: int = 8) -> None:
        super().__init__(precision, scale)
        self.precision = precision
        self.scale = scale

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.BigInteger())
        return dialect.type_descriptor(sa.Numeric(self.precision, self.scale))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Decimal | int | None:
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError("Money and rates are stored as Decimal, not float")
        if dialect.name != "sqlite":
            return value
        return int(value.scaleb(self.scale).to_integral_value())

    def process_result_value(self, value: Decimal | int | None, dialect: Dialect) -> Decimal | None:
        if value is None:
            return None
        return Decimal(value).scaleb(-self.scale) if dialect.name == "sqlite" else Decimal(value)


class ExactText(sa.types.TypeDecorator[str]):
    """Text compared byte by byte on all databases, so that equality, order and prefix ranges agree.

    MySQL's default collation ignores case; PostgreSQL's default sorts by language and keeps prefixes from its index.
    MariaDB and MySQL also ignore trailing spaces, unless the collation is one of their newer ones (which differ).
    """

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            from sqlalchemy.dialects import mysql

            collation = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
            return dialect.type_descriptor(mysql.VARCHAR(self.length, collation=collation))
        return dialect.type_descriptor(sa.String(self.length, collation="C" if dialect.name == "postgresql" else None))


class Json(sa.types.TypeDecorator[Any]):
    """JSON as each database keeps it best."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name != "postgresql":
            return dialect.type_descriptor(sa.JSON())
        from sqlalchemy.dialects import postgresql

        return dialect.type_descriptor(postgresql.JSONB())


class BigInt(sa.BigInteger):
    """64 bits everywhere; on SQLite spelled INTEGER, because only that makes a key the table's own order."""


@compiles(BigInt, "sqlite")
def _compile_big_int(_type: BigInt, _compiler: Any, **_options: Any) -> str:
    return "INTEGER"


def enum_column(enum: type[StrEnum], name: str) -> sa.Enum:
    """A StrEnum stored by its value as VARCHAR(32) under a CHECK that the naming convention names."""
    return sa.Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


class unindexed(FunctionElement[Any]):  # noqa: N801 - it reads as a function
    """The column as it is, but SQLite uses no index of it for the condition: it knows nothing of how often a value
    occurs, and takes any index of a condition before that of the order."""

    name = "unindexed"
    inherit_cache = True

    def __init__(self, column: Any) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(unindexed)
def _compile_unindexed(element: unindexed, compiler: Any, **options: Any) -> str:
    inner: str = compiler.process(element.clauses, **options)
    return f"+{inner}" if compiler.dialect.name == "sqlite" else inner
