"""Accounts to work on, and worker processes that are gone when the test is."""

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app.config import Config
from app.database import database_now, db
from app.models import Account, AccountLock, Run, SystemLog
from app.models.types import RunKind
from app.services.runs import Lease, Outcome, enqueue
from app.tasks.handlers import HANDLERS
from tests.factories import make_account, make_user

ROOT = Path(__file__).parents[3]

Start = Callable[..., subprocess.Popen[str]]


def environment_of(config: Config, **more: str) -> dict[str, str]:
    """The environment in which a process finds the same settings."""
    keys = ",".join(f"{name}:{base64.b64encode(key).decode()}" for name, key in config.encryption_keys)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.fspath(ROOT),
        "INSTANCE_PATH": os.fspath(config.instance_path),
        "DATABASE_URL": config.database_url,
        "SECRET_KEY": config.secret_key,
        "ENCRYPTION_KEYS": keys,
        "BROKER_URL": config.broker_url,
        "SPOTKEEPER_ENV": "development",
        "LEASE_SECONDS": "30",
        "C_FORCE_ROOT": "1",
        **more,
    }


@pytest.fixture
def start() -> Iterator[Start]:
    """`start(config, "serve", JOB_UNTIL="/tmp/file")`: a process of tests.fakes.worker, in its own group."""
    processes: list[subprocess.Popen[str]] = []

    def start_process(config: Config, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.worker", *arguments],
            env=environment_of(config, **environment),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start_process
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout
        process.stdout.close()


def wait_for(condition: Callable[[], object], *, seconds: float = 60, every: float = 0.05) -> None:
    """Fails when the condition does not become true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Still not so after {seconds} seconds"
        time.sleep(every)


def add_accounts(app: Flask, count: int = 1) -> list[int]:
    """The primary keys of that many accounts of one owner."""
    with app.app_context():
        owner = make_user()
        ids = [make_account(owner).id for _ in range(count)]
        db.session.commit()
        return ids


def add_run(
    app: Flask, account_pk: int | None = None, kind: RunKind = RunKind.DISCOVER_ACCOUNT, **options: float
) -> int:
    """The id of a queued run."""
    with app.app_context():
        account = db.session.get_one(Account, account_pk) if account_pk else None
        run_id = enqueue(kind, account=account, **options).id  # type: ignore[arg-type]
        db.session.commit()
        return run_id


def end_lease(app: Flask, run_id: int) -> None:
    """As if its worker had been silent for that long."""
    with app.app_context():
        ended = {"lease_until": database_now() - timedelta(seconds=1)}
        account_pk = db.session.scalar(sa.select(Run.account_id).where(Run.id == run_id))
        db.session.execute(sa.update(Run).where(Run.id == run_id).values(ended))
        db.session.execute(sa.update(AccountLock).where(AccountLock.account_id == account_pk).values(ended))
        db.session.commit()


def read_run(app: Flask, run_id: int) -> Run:
    """The row as it is now, detached."""
    with app.app_context():
        run = db.session.get_one(Run, run_id)
        db.session.expunge(run)
        return run


def effects(app: Flask) -> list[int]:
    """The ids of runs whose effect is there, once for each time."""
    with app.app_context():
        query = sa.select(SystemLog.message).where(SystemLog.component == "effect").order_by(SystemLog.id)
        return [int(message) for message in db.session.scalars(query)]


@pytest.fixture
def handle(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Lease], Outcome]], None]:
    """`handle(function)`: every kind of run is done by that function."""

    def install(function: Callable[[Lease], Outcome]) -> None:
        monkeypatch.setattr(sys.modules[__name__], "_current_handler", function)
        for kind in RunKind:
            monkeypatch.setitem(HANDLERS, kind, f"{__name__}:current_handler")

    return install


def current_handler(lease: Lease) -> Outcome:
    return _current_handler(lease)


def _current_handler(_lease: Lease) -> Outcome:
    raise AssertionError("The test says `handle(...)` first")
