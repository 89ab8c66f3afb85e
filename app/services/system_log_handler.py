"""Takes the application's log lines into `system_logs`, without ever failing or delaying who logs."""

import atexit
import contextlib
import logging
import os
import queue
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine

from app.config import Config
from app.database import db, new_id
from app.models.system_log import SystemLog
from app.models.types import LogLevel
from app.services.log_lines import LineFormatter, LogLine, read_record, render_console, render_json

#: Only these loggers' lines are stored; others' go to stderr.
OWN_LOGGERS = ("app", "spotkeeper")
#: Their INFO says where they found their settings; their DEBUG prints whole requests and answers, credentials
#: included. Neither is wanted, whatever LOG_LEVEL says.
CHATTY_LOGGERS = ("boto3", "botocore", "s3transfer", "urllib3")

QUEUE_LIMIT = 5000
BATCH_LIMIT = 200
BATCH_SECONDS = 0.2
TRIES = 3
RETRY_SECONDS = 0.5
NOTICE_SECONDS = 60

_Item = tuple[Engine, LogLine] | threading.Event


class LogWriter:
    """One queue and one thread a process, begun by the first line; a full queue drops lines and counts them."""

    def __init__(self) -> None:
        # SimpleQueue, because its put() may interrupt itself: a signal handler that logs cannot dead-lock.
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._lost = 0
        self._noticed_at = float("-inf")
        self.limit = QUEUE_LIMIT

    def put(self, engine: Engine, line: LogLine) -> None:
        """Hand over a line; returns at once."""
        if threading.current_thread() is self._thread:
            return
        if self._queue.qsize() >= self.limit:
            self._lost += 1
            return
        self._queue.put((engine, line))
        self._start()

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what was put before is stored or given up; False when that takes longer."""
        if self._thread is None:
            return True
        done = threading.Event()
        self._queue.put(done)
        return done.wait(timeout_seconds)

    def _start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        with self._start_lock:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="system-logs", daemon=True)
                thread.start()
                self._thread = thread

    def _run(self) -> None:
        while True:
            batch, flushes = self._collect()
            by_engine: dict[Engine, list[LogLine]] = {}
            for engine, line in batch:
                by_engine.setdefault(engine, []).append(line)
            for engine, lines in by_engine.items():
                self._store(engine, lines)
            for done in flushes:
                done.set()

    def _collect(self) -> tuple[list[tuple[Engine, LogLine]], list[threading.Event]]:
        """Wait for a line, then take what follows within a moment."""
        batch: list[tuple[Engine, LogLine]] = []
        flushes: list[threading.Event] = []
        deadline: float | None = None
        while len(batch) < BATCH_LIMIT and not flushes:
            wait = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                item = self._queue.get(timeout=wait)
            except queue.Empty:
                break
            if isinstance(item, threading.Event):
                flushes.append(item)
            else:
                batch.append(item)
            deadline = deadline or time.monotonic() + BATCH_SECONDS
        return batch, flushes

    def _store(self, engine: Engine, lines: list[LogLine]) -> None:
        lost = self._lost
        rows = [_row(line) for line in lines]
        if lost:
            rows.append(_row(_loss(lost)))
        for attempt in range(1, TRIES + 1):
            try:
                with engine.begin() as connection:
                    connection.execute(sa.insert(SystemLog), rows)
            except Exception as error:  # whatever it is, the application goes on
                if attempt == TRIES or isinstance(error, sa.exc.ProgrammingError | sa.exc.DataError):
                    self._lost += len(lines)
                    self._notice(error)
                    return
                time.sleep(RETRY_SECONDS)
            else:
                self._lost -= lost
                return

    def _notice(self, error: Exception) -> None:
        """Say on stderr that lines are being lost, at most once a minute; their text was there already."""
        now = time.monotonic()
        if now - self._noticed_at < NOTICE_SECONDS:
            return
        self._noticed_at = now
        with contextlib.suppress(Exception):
            line = _loss(self._lost, f"The database does not take log lines ({type(error).__name__}); lost so far")
            print(render_console(line), file=sys.stderr, flush=True)  # noqa: T201 - logging is what failed


class SystemLogHandler(logging.Handler):
    """Gives the lines of our own loggers to the process's writer."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(logging.INFO)
        self._engine = weakref.ref(engine)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            engine = _engine_in_use() or self._engine()
            if engine is not None:
                _writer.put(engine, read_record(record))
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: the standard one would print the record's arguments as they are."""


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stderr is at the moment, and keeps quiet when that fails."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        pass

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Nothing: the standard one would print the record's arguments as they are."""


def configure_logging(config: Config, engine: Engine) -> None:
    """Set up logging for this process: every logger to stderr, our own also to `system_logs`.

    May be called again; the last call's settings hold. Each line is stored in the database of the application at work
    when it was logged, or in the last one configured.
    """
    level = logging.getLevelNamesMapping()[config.log_level]
    to_stderr = StderrHandler()
    to_stderr.setLevel(level)
    to_stderr.setFormatter(LineFormatter(render_json if config.log_format == "json" else render_console))
    root = logging.getLogger()
    _replace_handler(root, to_stderr)
    root.setLevel(level)
    for name in OWN_LOGGERS:
        logger = logging.getLogger(name)
        _replace_handler(logger, SystemLogHandler(engine))
        logger.setLevel(min(level, logging.INFO))
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _engines.add(engine)


def flush_logs(timeout_seconds: float = 5.0) -> bool:
    """Wait until every line logged so far is stored or given up; False when that takes longer.

    For tests, and for processes that end without Python's own exit (a pool's workers).
    """
    return _writer.flush(timeout_seconds)


def _replace_handler(logger: logging.Logger, handler: logging.Handler) -> None:
    for present in logger.handlers[:]:
        if type(present) is type(handler):
            logger.removeHandler(present)
    logger.addHandler(handler)


@contextlib.contextmanager
def only_warnings_to_stderr() -> Iterator[None]:
    """For a command that shows progress there: what is merely informative goes to `system_logs` alone."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, StderrHandler)]
    levels = [handler.level for handler in handlers]
    for handler in handlers:
        handler.setLevel(max(handler.level, logging.WARNING))
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)


def _engine_in_use() -> Engine | None:
    try:
        return db.engine
    except (RuntimeError, KeyError):  # outside an application
        return None


def _row(line: LogLine) -> dict[str, object]:
    return {
        "id": new_id(),
        "logged_at": line.logged_at,
        "component": line.component,
        "level": line.level,
        "message": line.message,
        "details": {**line.details, "exception": line.exception} if line.exception else line.details,
        "user_id": line.user_id,
        "account_id": line.account_id,
        "request_id": line.request_id,
    }


def _loss(count: int, message: str = "Log lines were lost: the database was slow or away") -> LogLine:
    return LogLine(datetime.now(UTC), "logging", LogLevel.WARNING, message, {"lines": count})


def _begin_anew_after_fork() -> None:
    """The child has no thread, must not write its parent's lines, and must not share its parent's connections."""
    global _writer
    _writer = LogWriter()
    for engine in list(_engines):
        engine.dispose(close=False)


_writer = LogWriter()
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
os.register_at_fork(after_in_child=_begin_anew_after_fork)
atexit.register(lambda: flush_logs(2.0))
