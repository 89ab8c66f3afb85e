"""How Spotkeeper speaks to its databases: ids, clocks, transactions, SQLite's switches."""

import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.database import database_now, db, expect_reads_only, new_id, own_transaction
from app.models import User
from tests.integration.database.rows import insert_rows, rows

TABLES = db.metadata.tables


class TestIds:
    def test_threads_never_make_the_same_one_and_each_sees_them_rise(self) -> None:
        made: list[list[int]] = [[] for _ in range(8)]

        def work(mine: list[int]) -> None:
            mine.extend(new_id() for _ in range(5000))

        threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(mine == sorted(mine) for mine in made)
        assert len({one for mine in made for one in mine}) == 40_000

    def test_they_fit_63_bits_for_a_century(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert 0 < new_id() < 2**63
        assert (100 * 366 * 86_400_000) << 22 < 2**64
        assert new_id().bit_length() <= 63

    def test_they_go_on_rising_when_the_clock_is_set_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = new_id()
        now = time.time()
        monkeypatch.setattr("app.database.time.time", lambda: now - 86_400)
        assert new_id() > before


class TestClock:
    def test_it_is_aware_and_right(self, session: Session) -> None:
        before, now, after = datetime.now(UTC), database_now(), datetime.now(UTC)
        assert now.tzinfo is UTC
        assert before - timedelta(seconds=1) < now < after + timedelta(seconds=1)

    def test_it_goes_on_within_a_transaction(self, session: Session) -> None:
        first = database_now(session)
        time.sleep(0.02)
        assert database_now(session) > first


class TestTransactions:
    def test_what_is_rolled_back_is_gone_and_the_next_can_begin(self, any_database: Flask) -> None:
        with any_database.app_context():
            for _ in range(3):
                db.session.add(User(username="x", email="x@example.com", password_hash="x"))
                db.session.flush()
                db.session.rollback()
            assert db.session.scalar(sa.select(sa.func.count(User.id))) == 0
        with any_database.app_context():
            db.session.add(User(username="x", email="x@example.com", password_hash="x"))
            db.session.flush()
        with any_database.app_context():  # the context ended without a commit
            assert db.session.scalar(sa.select(sa.func.count(User.id))) == 0

    def test_an_own_transaction_is_kept_when_the_request_is_not(self, any_database: Flask) -> None:
        with any_database.app_context():
            with own_transaction() as session:
                session.add(User(username="kept", email="kept@example.com", password_hash="x"))
            db.session.add(User(username="lost", email="lost@example.com", password_hash="x"))
            db.session.flush()
            db.session.rollback()
            assert db.session.scalars(sa.select(User.username)).all() == ["kept"]

    def test_an_own_transaction_that_fails_leaves_nothing(self, any_database: Flask) -> None:
        def insert_twice() -> None:
            with own_transaction() as session:
                for _ in range(2):
                    insert_rows(session.connection(), 1, only=("users",))

        with any_database.app_context():
            with pytest.raises(sa.exc.IntegrityError):
                insert_twice()
            assert db.session.scalar(sa.select(sa.func.count(User.id))) == 0

    def test_a_reader_sees_what_others_commit_meanwhile(self, any_database: Flask) -> None:
        """READ COMMITTED on servers; on SQLite a reader's transaction ends with its request."""
        with any_database.app_context():
            if any_database.extensions["spotkeeper"].is_sqlite:
                db.session.rollback()
            else:
                assert db.session.scalar(sa.select(sa.func.count(User.id))) == 0
            with Session(db.engine) as other, other.begin():
                other.add(User(username="x", email="x@example.com", password_hash="x"))
            assert db.session.scalar(sa.select(sa.func.count(User.id))) == 1

    def test_errors_never_show_parameters(self, connection: Connection) -> None:
        insert_rows(connection, 1, only=("users",))
        with pytest.raises(sa.exc.IntegrityError) as caught:
            connection.execute(
                sa.insert(TABLES["users"]).values(**{**rows(1)["users"], "id": 5, "password_hash": "hunter2"})
            )
        assert "hidden due to hide_parameters" in str(caught.value)


class TestSqlite:
    @pytest.mark.parametrize(
        ("pragma", "value"), [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 2), ("secure_delete", 1)]
    )
    def test_every_connection_has_its_switches(self, sqlite_database: Flask, pragma: str, value: object) -> None:
        with sqlite_database.app_context():
            connections = [db.engine.connect() for _ in range(2)]
            raw = [
                connection.connection.cursor().execute(f"PRAGMA {pragma}").fetchone()[0] for connection in connections
            ]
            for connection in connections:
                connection.close()
        assert raw == [value, value]

    def test_it_waits_for_a_lock_instead_of_failing(self, sqlite_database: Flask) -> None:
        with sqlite_database.app_context():
            holder = db.engine.connect()
            holder.execute(sa.text("SELECT 1"))
            done = threading.Event()

            def write() -> None:
                with sqlite_database.app_context(), own_transaction() as session:
                    session.add(User(username="x", email="x@example.com", password_hash="x"))
                done.set()

            thread = threading.Thread(target=write)
            thread.start()
            assert not done.wait(0.3)
            holder.rollback()
            holder.close()
            thread.join(5)
            assert done.is_set()

    def test_a_reader_is_not_held_up_by_a_writer(self, sqlite_database: Flask) -> None:
        with sqlite_database.app_context(), db.engine.connect() as writer:
            insert_rows(writer, 1, only=("users",))
            expect_reads_only(True)
            try:
                with db.engine.connect() as reader:
                    began = time.perf_counter()
                    assert reader.scalar(sa.select(sa.func.count(User.id))) == 0
                    assert time.perf_counter() - began < 5, (
                        "it waited for the writer's lock, for which SQLite would wait ten seconds"
                    )
            finally:
                expect_reads_only(False)
            writer.rollback()

    def test_a_transaction_takes_the_write_lock_at_once_unless_told_to_read(self, sqlite_database: Flask) -> None:
        with sqlite_database.app_context(), db.engine.connect() as first, db.engine.connect() as second:
            second.connection.cursor().execute("PRAGMA busy_timeout=50")
            first.execute(sa.text("SELECT 1"))
            with pytest.raises(OperationalError, match="locked"):
                second.execute(sa.text("SELECT 1"))
            second.connection.cursor().execute("PRAGMA busy_timeout=10000")

    def test_a_deleted_secret_is_overwritten_in_the_file(self, sqlite_database: Flask) -> None:
        marker = "v1:k1:DeletedCiphertextMarker"
        with sqlite_database.app_context():
            with db.engine.begin() as connection:
                insert_rows(connection, 1, only=("users", "accounts"))
                connection.execute(sa.update(TABLES["accounts"]).values(aws_secret_access_key=marker))
            with db.engine.begin() as connection:
                connection.execute(sa.delete(TABLES["accounts"]))
            raw = db.engine.raw_connection()
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raw.close()
            # By another process: closing the file in this one would drop SQLite's own locks on it (POSIX).
            path = Path(str(db.engine.url.database))
            content = subprocess.run(["cat", path, f"{path}-wal"], capture_output=True, check=True).stdout
        assert content
        assert marker.encode() not in content
