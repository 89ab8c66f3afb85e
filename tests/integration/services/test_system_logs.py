"""The application's log in the database: kept for good, never in anybody's way."""

import base64
import dataclasses
import logging
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from flask import Flask

from app.config import Config
from app.database import db, new_id
from app.errors import ForbiddenError
from app.models import SystemLog, User
from app.models.types import LogLevel, Role
from app.services import log_search, system_log_handler, system_logs
from app.services.system_log_handler import configure_logging, flush_logs
from app.services.system_logs import acting_account_id, acting_user_id, request_id

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzH8tQ2v5Lo"
log = logging.getLogger("app.services.discovery")

#: Who waits for a locked SQLite waits for ten seconds.
WAITING_SECONDS = 5


def stored(app: Flask) -> list[SystemLog]:
    flush_logs()
    with app.app_context():
        return list(db.session.scalars(sa.select(SystemLog).order_by(SystemLog.id)))


def own_stderr() -> logging.Handler:
    [found] = [h for h in logging.getLogger().handlers if isinstance(h, system_log_handler.StderrHandler)]
    return found


@pytest.fixture(autouse=True)
def nothing_under_way() -> None:
    """Other tests of the same process may have left a request behind."""
    for variable, value in ((request_id, ""), (acting_user_id, None), (acting_account_id, None)):
        variable.set(value)  # type: ignore[attr-defined]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A writer of its own that gives up soon."""
    flush_logs()
    monkeypatch.setattr(system_log_handler, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(system_log_handler, "_writer", system_log_handler.LogWriter())
    yield
    flush_logs()


class TestTakingLines:
    def test_our_own_lines_are_stored_with_all_they_say(self, any_database: Flask) -> None:
        with any_database.app_context():
            log.warning("Region %s unread 😀", "eu-west-1", extra={"account_id": 5, "user_id": 6, "pages": 3})
        [line] = stored(any_database)
        assert (line.component, line.level, line.message) == (
            "discovery",
            LogLevel.WARNING,
            "Region eu-west-1 unread 😀",
        )
        assert (line.account_id, line.user_id, line.details) == (5, 6, {"pages": 3})
        assert abs(line.logged_at - datetime.now(UTC)) < timedelta(seconds=10)

    def test_lines_of_structlog_are_stored_alike(self, any_database: Flask) -> None:
        with any_database.app_context():
            structlog.get_logger("app.web").error("Request failed", path="/x", account_id=5)
        [line] = stored(any_database)
        assert (line.component, line.level, line.message) == ("web", LogLevel.ERROR, "Request failed")
        assert (line.details, line.account_id) == ({"path": "/x"}, 5)

    def test_debug_and_other_peoples_lines_are_not(self, any_database: Flask) -> None:
        with any_database.app_context():
            log.debug("too much")
            for name in ("botocore.parsers", "urllib3", "sqlalchemy.engine", "werkzeug", "application"):
                logging.getLogger(name).error("not ours")
        assert stored(any_database) == []

    def test_an_exception_is_stored_with_its_traceback(self, any_database: Flask) -> None:
        with any_database.app_context():
            try:
                raise ValueError(f"about {SECRET}")
            except ValueError:
                log.exception("It failed")
        [line] = stored(any_database)
        assert line.details["exception"].startswith("Traceback")
        assert line.details["exception"].endswith("ValueError: about [masked]")

    @pytest.mark.parametrize(
        "message",
        ["a\0b", "lone \ud800", "x" * 100_000, "", "\U0001f600" * 20_000],
        ids=["nul", "lone surrogate", "long", "empty", "four bytes each"],
    )
    def test_any_text_can_be_logged(self, any_database: Flask, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
        # pytest's own capture would carry the lone surrogate into its report, which cannot be sent between processes.
        monkeypatch.setattr(logging.getLogger("app"), "propagate", False)
        with any_database.app_context():
            log.info("%s", message, extra={"text": message})
        assert len(stored(any_database)) == 1

    def test_a_line_that_cannot_be_printed_fails_nobody(
        self, any_database: Flask, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        class Unprintable:
            def __str__(self) -> str:
                raise RuntimeError("no")

        # Logging is the process's: another test's application may have been told to say less.
        with any_database.app_context():
            configure_logging(any_database.extensions["spotkeeper"], db.engine)
        # pytest's own handler would raise.
        monkeypatch.setattr(logging.getLogger("app"), "propagate", False)
        monkeypatch.setattr(logging.getLogger("app"), "handlers", [*logging.getLogger("app").handlers, own_stderr()])
        with any_database.app_context():
            log.info("wrong %d", "text")
            log.info("odd %s", Unprintable())
            log.info("fine", extra={"thing": Unprintable()})
        said = [line.message for line in stored(any_database)]
        note = "(its arguments could not be printed)"
        assert said == [f"wrong %d {note}", f"odd %s {note}", "fine"]
        assert capfd.readouterr().err.count("discovery:") == 3

    def test_configuring_again_stores_each_line_once(self, any_database: Flask) -> None:
        with any_database.app_context():
            for _ in range(3):
                configure_logging(any_database.extensions["spotkeeper"], db.engine)
            log.info("once")
        assert [line.message for line in stored(any_database)] == ["once"]

    def test_lines_of_many_threads_all_arrive(self, any_database: Flask) -> None:
        def work(n: int) -> None:
            with any_database.app_context():
                for m in range(50):
                    log.info("line %s", n * 50 + m)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(int(line.message[5:]) for line in stored(any_database)) == list(range(400))


class TestNeverInTheWay:
    def test_a_locked_database_delays_nobody_and_the_line_arrives_later(
        self, sqlite_database: Flask, quick: None
    ) -> None:
        with sqlite_database.app_context(), db.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))  # takes the write lock at BEGIN
            began = time.perf_counter()
            for n in range(100):
                log.info("line %s", n)
            assert time.perf_counter() - began < WAITING_SECONDS
            assert not flush_logs(0.3)
            connection.rollback()
        assert len(stored(sqlite_database)) == 100

    def test_a_broken_table_fails_nobody_and_the_loss_is_told(
        self, any_database: Flask, quick: None, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with any_database.app_context():
            with db.engine.begin() as connection:
                connection.execute(sa.text("ALTER TABLE system_logs RENAME TO elsewhere"))
            try:
                log.info("lost %s", SECRET)
                assert flush_logs()
            finally:
                with db.engine.begin() as connection:
                    connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO system_logs"))
            said = capfd.readouterr().err
            assert "does not take log lines" in said
            assert SECRET not in said
            log.info("kept")
        lines = {line.component: line for line in stored(any_database)}
        assert lines["discovery"].message == "kept"
        assert lines["logging"].details == {"lines": 1}

    def test_a_full_queue_drops_lines_and_counts_them(self, sqlite_database: Flask, quick: None) -> None:
        system_log_handler._writer.limit = 50
        with sqlite_database.app_context():
            with db.engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
                for n in range(500):
                    log.info("line %s", n)
                connection.rollback()
            flush_logs()
            log.info("afterwards")
        lines = stored(sqlite_database)
        lost = sum(line.details["lines"] for line in lines if line.component == "logging")
        kept = [line for line in lines if line.component == "discovery"]
        assert lost > 0
        assert len(kept) + lost == 501

    def test_a_request_whose_log_cannot_be_written_is_answered(self, sqlite_database: Flask, quick: None) -> None:
        with sqlite_database.app_context(), db.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
            client = sqlite_database.test_client()
            began = time.perf_counter()
            log.error("about this request")
            assert client.get("/healthz").status_code == 200
            assert time.perf_counter() - began < WAITING_SECONDS
            connection.rollback()


class TestSecretsAndForgery:
    @pytest.mark.parametrize("format_", ["console", "json"])
    def test_no_canary_reaches_stderr_or_the_table(
        self, sqlite_database: Flask, capfd: pytest.CaptureFixture[str], format_: str
    ) -> None:
        config: Config = sqlite_database.extensions["spotkeeper"]
        shapes = [SECRET, SECRET[::-1], base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex()]
        shapes += [urllib.parse.quote(SECRET, safe=""), repr(SECRET.encode())]
        with sqlite_database.app_context():
            configure_logging(dataclasses.replace(config, log_format=format_, log_level="DEBUG"), db.engine)
            for shape in shapes:
                log.info("message %s", shape, extra={"detail": shape, "nested": {"list": [shape]}})
                logging.getLogger("botocore.endpoint").debug("Response body: %s", shape)
                logging.getLogger("other").warning("password=%s", shape)
                try:
                    raise ValueError(shape)
                except ValueError:
                    structlog.get_logger("app.web").exception("failed", secret=shape)
            lines = stored(sqlite_database)
            configure_logging(config, db.engine)
        everything = capfd.readouterr().err + "".join(f"{line.message}{line.details}" for line in lines)
        assert len(lines) == 2 * len(shapes)
        for shape in shapes:
            assert not any(shape[at : at + 12] in everything for at in range(len(shape) - 12))
        assert "Response body" not in everything

    def test_a_forged_line_stays_within_its_own(
        self, sqlite_database: Flask, capfd: pytest.CaptureFixture[str]
    ) -> None:
        capfd.readouterr()
        with sqlite_database.app_context():
            log.warning("User-Agent: x\r\n2026-11-22T00:00:00Z ERROR audit: forged\x1b[1A")
        flush_logs()
        assert len(capfd.readouterr().err.splitlines()) == 1


class TestAudit:
    def test_the_row_is_kept_with_the_act_or_not_at_all(self, any_database: Flask) -> None:
        with any_database.app_context():
            system_logs.record("audit", "Never happened")
            db.session.rollback()
            system_logs.record("audit", "Happened", level=LogLevel.WARNING, password="hunter2", before="a")
            db.session.commit()
        [line] = stored(any_database)
        assert (line.message, line.level, line.details) == (
            "Happened",
            LogLevel.WARNING,
            {"password": "[masked]", "before": "a"},
        )

    def test_only_admins_may_read(self, any_database: Flask) -> None:
        with any_database.app_context():
            client = User(username="c", email="c@example.com", password_hash="x", role=Role.CLIENT)
            with pytest.raises(ForbiddenError):
                log_search.list_logs(client, log_search.LogFilters())
            with pytest.raises(ForbiddenError):
                log_search.list_components(client)


class TestReading:
    @pytest.fixture
    def reader(self) -> User:
        return User(username="a", email="a@example.com", password_hash="x", role=Role.ADMIN)

    def add(self, count: int, **values: Any) -> None:
        for n in range(count):
            facts = {"component": "audit", "message": f"line {n}", "level": LogLevel.INFO, "details": {}, **values}
            db.session.add(SystemLog(**facts))
        db.session.commit()

    def test_components_are_listed_once_in_order(self, any_database: Flask, reader: User) -> None:
        with any_database.app_context():
            assert log_search.list_components(reader) == []
            for name in ("web", "audit", "runs", "web", "audit"):
                self.add(2, component=name)
            assert log_search.list_components(reader) == ["audit", "runs", "web"]

    @pytest.mark.parametrize(
        ("text", "found"),
        [("LINE 1", 3), ("line", 12), ("ine", 0), ("%", 0), ("_ine", 0), ("/", 0), ("\\", 0), ("'", 0)],
    )
    def test_the_search_is_for_how_a_message_begins(
        self, any_database: Flask, reader: User, text: str, found: int
    ) -> None:
        with any_database.app_context():
            self.add(12)
            assert len(log_search.list_logs(reader, log_search.LogFilters(text=text)).entries) == found

    def test_pages_meet_without_gap_or_overlap(self, any_database: Flask, reader: User) -> None:
        filters = log_search.LogFilters()
        with any_database.app_context():
            self.add(25)
            seen, before = [], None
            pages = []
            while True:
                page = log_search.list_logs(reader, filters, before=before, limit=10)
                pages.append(page)
                seen += [entry.log.message for entry in page.entries]
                before = page.older_than
                if before is None:
                    break
            assert seen == [f"line {n}" for n in range(25)][::-1]
            assert [len(page.entries) for page in pages] == [10, 10, 5]
            assert [page.newer_than is None for page in pages] == [True, False, False]
            back = log_search.list_logs(reader, filters, after=pages[2].newer_than, limit=10)
            assert [entry.log.id for entry in back.entries] == [entry.log.id for entry in pages[1].entries]


class TestRetention:
    def test_it_forgets_what_is_older_and_keeps_the_rest(self, any_database: Flask) -> None:
        moment = datetime(2026, 5, 4, tzinfo=UTC)
        with any_database.app_context():
            for n in range(25):
                old = n < 20
                at = moment - timedelta(seconds=n + 1) if old else moment + timedelta(seconds=n - 20)
                row = SystemLog(id=new_id(), component="x", level=LogLevel.INFO, message=f"{old}", logged_at=at)
                db.session.add(row)
            db.session.commit()
            assert system_logs.prune_logs(older_than=moment, batch_size=7) == 20
            assert system_logs.prune_logs(older_than=moment) == 0
            db.session.rollback()
        assert [line.message for line in stored(any_database)] == ["False"] * 5


FORKING = """
import logging, os, sys
from app import create_app
from app.services.system_log_handler import flush_logs
app = create_app()
log = logging.getLogger("app.services.runs")
with app.app_context():
    log.info("parent before")
    children = []
    for n in range(3):
        pid = os.fork()
        if pid == 0:
            for m in range(20):
                log.info("child %s line %s", n, m)
            sys.exit(0)  # as a worker ends: what is queued is written on the way out
        children.append(pid)
    log.info("parent after")
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
"""


class TestProcesses:
    def test_forked_workers_write_their_own_lines_once(self, any_database: Flask) -> None:
        config: Config = any_database.extensions["spotkeeper"]
        keys = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in config.encryption_keys)
        env = {**os.environ, "DATABASE_URL": config.database_url, "INSTANCE_PATH": str(config.instance_path)}
        env |= {"SECRET_KEY": config.secret_key, "ENCRYPTION_KEYS": keys}
        root = Path(__file__).parents[3]
        done = subprocess.run([sys.executable, "-c", FORKING], env=env, cwd=root, timeout=60, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        expected = ["parent after", "parent before", *(f"child {n} line {m}" for n in range(3) for m in range(20))]
        assert sorted(line.message for line in stored(any_database)) == sorted(expected)
