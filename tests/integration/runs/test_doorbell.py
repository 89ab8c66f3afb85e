"""When the bell rings: after the commit that made the run visible, and at no other time."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError

from app.config import Config
from app.database import db, own_transaction, retry_transient
from app.models import Account, Run
from app.models.types import RunKind, RunState
from app.services.runs import Lease, Outcome, enqueue
from app.tasks.work import perform
from tests.integration.runs.conftest import ROOT, add_accounts, add_run, environment_of, read_run, wait_for


def messages(config: Config) -> list[Path]:
    return sorted((config.instance_path / "broker").glob("*.msg"))


class TestRinging:
    def test_it_waits_for_the_commit_of_the_whole_transaction(self, app: Flask, config: Config) -> None:
        with app.app_context():
            with db.session.begin_nested():
                enqueue(RunKind.PRUNE)
            assert messages(config) == [], "A savepoint's end is not a commit: nobody else sees the run yet"
            db.session.commit()
            assert len(messages(config)) == 1
            db.session.commit()
            assert len(messages(config)) == 1

    def test_it_does_not_ring_for_what_was_rolled_back(self, app: Flask, config: Config) -> None:
        with app.app_context():
            enqueue(RunKind.PRUNE)
            db.session.rollback()
            db.session.execute(sa.select(1))
            db.session.commit()
        assert messages(config) == []

    def test_a_message_says_nothing_but_the_runs_id(self, app: Flask, config: Config) -> None:
        run_id = add_run(app, add_accounts(app)[0])
        text = messages(config)[0].read_text()
        assert str(run_id) in text
        assert "arn:" not in text
        assert (config.instance_path / "broker").stat().st_mode & 0o777 == 0o700

    def test_the_next_run_of_the_account_is_rung_for_when_the_first_ends(
        self, app: Flask, config: Config, handle: object
    ) -> None:
        account = add_accounts(app)[0]
        first, second = (add_run(app, account, kind) for kind in (RunKind.VERIFY_ACCOUNT, RunKind.DISCOVER_ACCOUNT))
        for message in messages(config):
            message.unlink()
        handle(lambda _lease: Outcome.succeeded())  # type: ignore[operator]
        with app.app_context():
            perform(first, worker="test", lease_seconds=60)
        assert [str(second) in message.read_text() for message in messages(config)] == [True]


class TestAJobThatBreaks:
    def test_it_is_tried_again_later_and_its_writes_are_gone(self, app: Flask, handle: object) -> None:
        account_pk = add_accounts(app)[0]
        run_id = add_run(app, account_pk)

        def job(lease: Lease) -> Outcome:
            db.session.get_one(Account, lease.account_pk).account_name = "half done"
            db.session.flush()
            raise ZeroDivisionError("secret words")

        handle(job)  # type: ignore[operator]
        with app.app_context():
            assert perform(run_id, worker="test", lease_seconds=60)
            assert not perform(run_id, worker="test", lease_seconds=60), "It waits before it is tried again"
            assert db.session.get_one(Account, account_pk).account_name != "half done"
        run = read_run(app, run_id)
        assert (run.state, run.attempt) == (RunState.QUEUED, 1)
        assert "ZeroDivisionError" in run.progress_text
        assert "secret" not in run.progress_text

    def test_it_fails_in_the_end(self, app: Flask, handle: object, monkeypatch: pytest.MonkeyPatch) -> None:
        run_id = add_run(app, add_accounts(app)[0])
        monkeypatch.setattr("app.tasks.work.MAX_ATTEMPTS", 1)

        def job(_lease: Lease) -> Outcome:
            raise ZeroDivisionError

        handle(job)  # type: ignore[operator]
        with app.app_context():
            perform(run_id, worker="test", lease_seconds=60)
        assert read_run(app, run_id).state == RunState.FAILED


class TestRetrying:
    @pytest.mark.parametrize(
        "kind",
        [pytest.param("mariadb", marks=pytest.mark.mariadb), pytest.param("postgresql", marks=pytest.mark.postgresql)],
    )
    def test_it_brings_both_of_two_that_deadlock_to_their_end(self, kind: str, request: pytest.FixtureRequest) -> None:
        app: Flask = request.getfixturevalue(f"{kind}_database")
        one, two = add_accounts(app, 2)
        meeting = threading.Barrier(2)
        tries: list[int] = []

        @retry_transient
        def add_in_order(first: int, second: int) -> None:
            tries.append(first)
            with own_transaction() as session:
                for account_pk in (first, second):
                    session.execute(
                        sa.update(Account)
                        .where(Account.id == account_pk)
                        .values(instance_count=Account.instance_count + 1)
                    )
                    if len(tries) <= 2 and account_pk == first:
                        meeting.wait(30)

        def run(first: int, second: int) -> None:
            with app.app_context():
                add_in_order(first, second)

        threads = [threading.Thread(target=run, args=order) for order in ((one, two), (two, one))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        with app.app_context():
            assert [db.session.get_one(Account, pk).instance_count for pk in (one, two)] == [2, 2]
        assert len(tries) == 3, "One of the two was given up by the database, and tried again"

    def test_it_does_not_repeat_what_is_simply_wrong(self, app: Flask) -> None:
        tries: list[int] = []

        @retry_transient
        def ask_nonsense() -> None:
            tries.append(1)
            with own_transaction() as session:
                session.execute(sa.text("SELECT nonsense"))

        with app.app_context(), pytest.raises(OperationalError, match="nonsense"):
            ask_nonsense()
        assert tries == [1]


class TestTheCommands:
    def test_worker_and_scheduler_do_the_installations_chores_and_stop_when_told(
        self, app: Flask, config: Config
    ) -> None:
        processes = [
            subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
                env=environment_of(config),
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
            for arguments in (["worker", "--concurrency", "1"], ["scheduler", "--every", "0.5"])
        ]
        try:

            def has_pruned() -> bool:
                with app.app_context():
                    query = sa.select(Run.state).where(Run.kind == RunKind.PRUNE)
                    return db.session.scalars(query).all() == [RunState.SUCCEEDED]

            wait_for(has_pruned)
            for process in processes:
                process.terminate()
            outputs = [process.communicate(timeout=60)[0] for process in processes]
            assert [process.returncode for process in processes] == [0, 0], outputs
            assert "superuser" not in outputs[0]
            assert "ERROR" not in "".join(outputs)
        finally:
            for process in processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
