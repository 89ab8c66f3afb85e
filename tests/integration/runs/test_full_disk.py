"""What is refused, and in which words, when a disk is full. `make chaos ARGS=full` fills real ones."""

import errno
import json
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from flask import Flask
from kombu import Connection

from app.database import db, is_out_of_room
from app.errors import FaultCode, NoRoomError
from app.models import Run, User, UserSession
from app.models.types import RunState
from app.services.discovery.spool import MEMORY_BYTES, Spool
from app.services.runs import MAX_ATTEMPTS, Lease, Outcome
from app.tasks.folder_broker import folder_options
from app.tasks.work import perform
from app.web.access import public
from tests.conftest import SignIn, browser
from tests.integration.runs.conftest import add_accounts, add_run, read_run

#: The system's own: every write to it finds no room.
FULL = Path("/dev/full")

Handle = Callable[[Callable[[Lease], Outcome]], None]


@pytest.fixture(scope="module")
def full() -> sa.exc.DBAPIError:
    """As SQLite itself says it."""
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 3")
        connection.exec_driver_sql("CREATE TABLE t (x)")
        with pytest.raises(sa.exc.OperationalError) as caught:
            connection.exec_driver_sql("INSERT INTO t VALUES (zeroblob(100000))")
    return caught.value


@pytest.fixture
def busy(tmp_path: Path) -> sa.exc.DBAPIError:
    url = f"sqlite:///{tmp_path}/busy.db"
    engine = sa.create_engine(url, connect_args={"timeout": 0}, poolclass=sa.NullPool)
    with engine.connect() as writer, engine.connect() as other:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(sa.exc.OperationalError) as caught:
            other.exec_driver_sql("BEGIN IMMEDIATE")
    return caught.value


@contextmanager
def no_file_may_grow() -> Iterator[None]:
    """Stands for a full disk: the system refuses each write to a file."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def raising(error: Exception) -> Callable[..., NoReturn]:
    def work(*_: Any) -> NoReturn:
        raise error

    return work


class TestPages:
    def test_a_refused_write_says_why_and_that_it_will_mend_itself(self, app: Flask, full: sa.exc.DBAPIError) -> None:
        app.add_url_rule("/write", "write", public(raising(full)))
        client = browser(app)
        response = client.get("/write")
        assert response.status_code == 507
        assert "There is no room left" in client.page.text
        assert "by itself" in client.page.text
        assert "Retry-After" in response.headers

    @pytest.mark.parametrize("trouble", ["full", "busy"])
    def test_pages_are_served_that_could_not_note_the_sessions_use(
        self,
        app: Flask,
        client1: User,
        sign_in: SignIn,
        trouble: str,
        request: pytest.FixtureRequest,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        client = sign_in(client1)
        with app.app_context():
            db.session.execute(sa.update(UserSession).values(last_seen_at=datetime.now(UTC) - timedelta(minutes=2)))
            db.session.commit()
        asked = []

        def own_transaction() -> NoReturn:
            asked.append(trouble)
            raise request.getfixturevalue(trouble)

        monkeypatch.setattr("app.services.sessions.own_transaction", own_transaction)
        assert client.get("/me").status_code == 200
        assert asked

    def test_machines_are_told_to_send_it_again(
        self, app: Flask, full: sa.exc.DBAPIError, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.api.events.find_account", raising(full))
        response = app.test_client().post("/api/v1/events", data="{}")
        assert (response.status_code, json.loads(response.text)["code"]) == (507, "no_room")


class TestJobs:
    @pytest.mark.parametrize("attempt", [1, MAX_ATTEMPTS])
    def test_they_are_tried_again_and_then_fail_with_the_reason(
        self, app: Flask, handle: Handle, full: sa.exc.DBAPIError, attempt: int
    ) -> None:
        handle(raising(full))
        run_id = add_run(app, add_accounts(app)[0])
        with app.app_context():
            db.session.execute(sa.update(Run).values(attempt=attempt - 1))
            db.session.commit()
            assert perform(run_id, worker="tests", lease_seconds=2)
        run = read_run(app, run_id)
        if attempt == 1:
            assert run.state is RunState.QUEUED
            assert (
                run.progress_text
                == "There is no room left on the disk of the database, or for its temporary files; trying again"
            )
        else:
            assert (run.state, run.error_code) == (RunState.FAILED, FaultCode.INTERNAL)
            assert run.error_message.endswith("its temporary files, 5 times; the system log has more.")

    def test_a_full_temporary_folder_is_named(self, app: Flask, handle: Handle) -> None:
        handle(raising(NoRoomError("There is no room left in the folder for temporary files")))
        run_id = add_run(app, add_accounts(app)[0])
        with app.app_context():
            assert perform(run_id, worker="tests", lease_seconds=2)
        assert "in the folder for temporary files" in read_run(app, run_id).progress_text


class TestTheSpool:
    def test_it_says_that_the_disk_is_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FULL.open("r+b", buffering=0))
        with Spool() as spool, pytest.raises(NoRoomError, match="temporary files") as caught:
            spool.put(["x" * (MEMORY_BYTES + 1)])
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == errno.ENOSPC

    def test_it_says_so_too_where_python_found_no_folder_to_write_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
        with Spool() as spool, pytest.raises(NoRoomError):
            spool.put(["x" * (MEMORY_BYTES + 1)])


class TestTheFolderBroker:
    @pytest.fixture
    def channel(self, tmp_path: Path) -> Any:
        options = folder_options(tmp_path / "broker")
        url, transport = "filesystem://localhost/", "app.tasks.folder_broker:Transport"
        return Connection(url, transport=transport, transport_options=options).channel()

    def test_what_could_not_be_written_leaves_nothing_behind(self, channel: Any, tmp_path: Path) -> None:
        with no_file_may_grow(), pytest.raises(OSError, match="File too large"):
            channel._put("jobs", {"number": 1})
        assert list((tmp_path / "broker").iterdir()) == []

    def test_its_table_of_queues_is_whole_or_as_before(self, channel: Any) -> None:
        channel._queue_bind("jobs", "first", None, "first")
        with no_file_may_grow(), pytest.raises(OSError, match="File too large"):
            channel._queue_bind("jobs", "second", None, "second")
        assert [bound.queue for bound in channel.get_table("jobs")] == ["first"]
        channel._queue_bind("jobs", "second", None, "second")
        channel._queue_bind("jobs", "first", None, "first")
        assert {bound.queue for bound in channel.get_table("jobs")} == {"first", "second"}

    def test_half_a_table_is_mended(self, channel: Any, tmp_path: Path) -> None:
        channel._queue_bind("jobs", "first", None, "first")
        (table,) = (tmp_path / "broker" / "control").iterdir()
        table.write_text("")
        channel._queue_bind("jobs", "first", None, "first")
        assert [bound.queue for bound in channel.get_table("jobs")] == ["first"]


@pytest.mark.parametrize(
    ("driver_error", "is_full"),
    [
        (type("DiskFull", (Exception,), {"sqlstate": "53100"})(), True),
        (Exception(1021, "Disk full"), True),
        (Exception(1114, "The table is full"), True),
        (Exception(2013, "Lost connection"), False),
        (sqlite3.OperationalError("disk I/O error"), False),
    ],
    ids=["PostgreSQL", "MariaDB", "MariaDB's InnoDB", "a lost connection", "a broken disk"],
)
def test_each_database_says_it_its_own_way(driver_error: Exception, is_full: bool) -> None:
    assert is_out_of_room(sa.exc.OperationalError("INSERT", {}, driver_error)) is is_full
