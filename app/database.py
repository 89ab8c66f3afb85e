"""The one data layer: declarative base, sessions, transactions and engines, alike on all three databases.

What is stored is said in `models/`; here is only how. Nothing in this module knows a table.
"""

import contextlib
import functools
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import DeclarativeBase, Session

from app.config import Config

P = ParamSpec("P")
R = TypeVar("R")

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every model's base; constraints get their names by one convention, so that they can be dropped by name."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)


db = SQLAlchemy(model_class=Base, disable_autonaming=True)

#: What the doors take for "the database does not answer": gone, frozen, locked by another, or no free connection.
DATABASE_TROUBLE = (OperationalError, InterfaceError, PoolTimeoutError)


# --- ids ---------------------------------------------------------------------------------------------------

#: No two clocks of one installation, by which ids and times are made, are farther apart than this.
CLOCKS_APART = timedelta(minutes=10)

_EPOCH_MS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
_RANDOM_BITS = 22
_id_lock = threading.Lock()
_last_id = 0


def new_id() -> int:
    """A 63-bit id made by the application: milliseconds since 2026, then 22 random bits; ascending in a process.

    Known before the INSERT, so that a secret can be bound to its row, and safe to make on any worker.
    See docs/decisions/0002-ids-are-made-by-the-application.md.
    """
    return new_ids(1)[0]


def first_id_at(moment: datetime) -> int:
    """The lowest id that could have been made then: what is older has a lower one. For deleting by the key alone."""
    return max(int(moment.timestamp() * 1000) - _EPOCH_MS, 0) << _RANDOM_BITS


def new_ids(count: int) -> range:
    """So many ids at once, one after the other: for rows that are written together."""
    global _last_id
    now = int(time.time() * 1000) - _EPOCH_MS
    candidate = (now << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    with _id_lock:
        first = max(_last_id + 1, candidate)
        _last_id = first + count - 1
    return range(first, first + count)


# --- time and transactions ---------------------------------------------------------------------------------

_NOW = {
    "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
    "mysql": "SELECT utc_timestamp(6)",
    "postgresql": "SELECT clock_timestamp()",
}


def database_now(session: Session | None = None) -> datetime:
    """The database's own clock: the one clock that all workers share."""
    session = session or db.session()
    value = session.scalar(sa.text(_NOW[session.get_bind().dialect.name]))
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    assert isinstance(value, datetime)
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


#: Only for SQLite: a transaction that reads first and writes later is refused when another wrote in between,
#: whatever the busy time-out. So everything takes the write lock at BEGIN, except requests that only read.
_reads_only: ContextVar[bool] = ContextVar("reads_only", default=False)


def expect_reads_only(reads_only: bool) -> None:
    """Say whether the transactions of this request (or thread) will only read."""
    _reads_only.set(reads_only)


@contextlib.contextmanager
def own_transaction() -> Iterator[Session]:
    """A short transaction apart from the current session, committed at the end: for what must be kept whatever
    becomes of the request (a failed sign-in, a log line, a session's last use)."""
    token = _reads_only.set(False)
    try:
        with Session(db.engine) as session, session.begin():
            yield session
    finally:
        _reads_only.reset(token)


#: What the three databases say when a short transaction merely came at a bad moment.
_TRANSIENT = frozenset({"40001", "40P01", "55P03", 1213, 1205, "SQLITE_BUSY", "SQLITE_LOCKED"})


def is_transient(error: sa.exc.DBAPIError) -> bool:
    """Whether the same transaction may well succeed when tried again: deadlock, serialization, lock time-out."""
    return any(code in _TRANSIENT or str(code).startswith("SQLITE_BUSY") for code in _codes(error))


def _codes(error: sa.exc.DBAPIError) -> tuple[object, ...]:
    """What the driver calls it: PostgreSQL's, SQLite's and MariaDB's way."""
    driver_error = error.orig
    return (
        getattr(driver_error, "sqlstate", None),
        getattr(driver_error, "sqlite_errorname", None),
        *(getattr(driver_error, "args", ())[:1]),
    )


#: What they say when the disk is full: of the data, of the log, or for temporary files.
_NO_ROOM = frozenset({"53100", 1021, 1114, "SQLITE_FULL", "SQLITE_IOERR_SHMSIZE"})


def is_out_of_room(error: BaseException) -> bool:
    """Whether the database could not write for want of room on its disk."""
    return isinstance(error, sa.exc.DBAPIError) and any(code in _NO_ROOM for code in _codes(error))


def retry_transient(work: Callable[P, R]) -> Callable[P, R]:
    """Run a function again (five times at most) when the database gave its transaction up for another's sake.

    Only for functions that begin and commit their own transaction, and do nothing else that could be doubled.
    """

    @functools.wraps(work)
    def retrying(*args: P.args, **kwargs: P.kwargs) -> R:
        for tries in range(1, 5):
            try:
                return work(*args, **kwargs)
            except sa.exc.DBAPIError as error:
                if not is_transient(error):
                    raise
                # Unequal waits, so that two who met do not meet again.
                time.sleep(tries * (0.01 + secrets.randbelow(40) / 1000))
        return work(*args, **kwargs)

    return retrying


def commits(view: Callable[P, R]) -> Callable[P, R]:
    """Commit the session when the view returns; what raises is rolled back with the request."""

    @functools.wraps(view)
    def committing(*args: P.args, **kwargs: P.kwargs) -> R:
        result = view(*args, **kwargs)
        db.session.commit()
        return result

    return committing


#: How long the database may be silent, in seconds: after a statement (the servers' own limit on one is 60), and when it
#: is merely asked whether it is there. With the time for opening a new connection that stays below ten.
ANSWER_SECONDS, PING_SECONDS = 65, 3


# --- engines -----------------------------------------------------------------------------------------------


def engine_options(config: Config) -> dict[str, Any]:
    """What create_engine() gets for this database: pooling, time-outs, isolation."""
    options: dict[str, Any] = {
        "echo": config.sql_echo,
        "pool_pre_ping": config.db_pool_pre_ping,
        "pool_recycle": config.db_pool_recycle_seconds,
        "pool_timeout": config.db_pool_timeout_seconds,
        "pool_size": config.db_pool_size,
        "max_overflow": config.db_max_overflow,
        # Parameters may be ciphertexts and password hashes; they do not belong into logs and tracebacks.
        "hide_parameters": True,
    }
    if config.is_sqlite:
        options["connect_args"] = {"timeout": 10}
        return options
    # MariaDB's default would hold a snapshot through a whole job; PostgreSQL's default is this already.
    options["isolation_level"] = "READ COMMITTED"
    options["connect_args"] = {"connect_timeout": config.db_connect_timeout_seconds}
    if "mysql" in config.database_url.split(":", 1)[0]:
        # A backslash is a character like any other, as in the standard: the driver then has less to look for in JSON,
        # and writes half as much again in the same time.
        modes = "STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_BACKSLASH_ESCAPES"
        options["connect_args"] |= {
            # While it is being opened; the driver's own limit ends before the server's greeting. See `prepare_engine`.
            "read_timeout": config.db_connect_timeout_seconds,
            "write_timeout": ANSWER_SECONDS,
            "init_command": f"SET time_zone = '+00:00', sql_mode = '{modes}'",
        }
    else:
        options["connect_args"]["options"] = "-c timezone=utc -c lock_timeout=15000 -c statement_timeout=60000"
    return options


@functools.cache
def patient_connection() -> Any:
    """PostgreSQL's connection with an end to waiting: a server that is frozen, or a wire that is cut without a word,
    answers nothing for ever, and the server's own statement_timeout is of no use then."""
    import psycopg  # where it is used, and nowhere else: it takes its time to load

    class PatientConnection(psycopg.Connection[Any]):
        patience_seconds: float | None = None
        """None while it is being opened, for which the driver has a limit of its own."""

        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            limit = self.patience_seconds if timeout is None else timeout
            began_at = time.monotonic()
            try:
                return super().wait(gen, interval, limit)
            except psycopg.OperationalError as error:
                if timeout is None and limit is not None and time.monotonic() - began_at >= limit:
                    # In the middle of an exchange it is of no further use, and says so from here on.
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"No answer for {limit:.0f} seconds") from error
                raise

    return PatientConnection


def prepare_engine(engine: Engine) -> None:
    """SQLite as Spotkeeper needs it: write-ahead log, foreign keys, full sync, honest transactions. MariaDB and MySQL:
    a broken CHECK is an IntegrityError, as everywhere else. Both servers: an end to waiting for them."""
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
        return
    patience = "patience_seconds"
    if engine.dialect.name == "mysql":
        import pymysql  # as with psycopg, only where it is used

        # PyMySQL knows neither ER_CONSTRAINT_FAILED (MariaDB) nor ER_CHECK_CONSTRAINT_VIOLATED (MySQL).
        pymysql.err.error_map.update(dict.fromkeys((4025, 3819), pymysql.err.IntegrityError))
        patience = "_read_timeout"
    else:
        event.listen(engine, "do_connect", lambda _d, _r, args, options: patient_connection().connect(*args, **options))
    event.listen(engine, "connect", lambda connection, _record: setattr(connection, patience, ANSWER_SECONDS))
    ping = engine.dialect.do_ping

    def do_ping(connection: Any) -> bool:
        # Whether it is there at all is answered at once, or by somebody else.
        setattr(connection, patience, PING_SECONDS)
        try:
            return ping(connection)
        finally:
            setattr(connection, patience, ANSWER_SECONDS)

    engine.dialect.do_ping = do_ping  # type: ignore[assignment,method-assign]


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin transactions by rules of its own
        cursor = connection.cursor()
        # Of a database yet to be made: SQLite's own 4 KiB are a little less than one instance with its metadata.
        cursor.execute("PRAGMA page_size=16384")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # Credentials live in this file: an acknowledged commit survives a power cut, and a deleted one is overwritten.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if _reads_only.get() else "BEGIN IMMEDIATE")
