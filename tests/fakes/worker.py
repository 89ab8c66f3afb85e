"""A real worker process whose jobs are made up: `python -m tests.fakes.worker serve | once RUN_ID | race RUN_ID`.

`real` serves, and `really RUN_ID` does one, with the application's own handlers instead.

Everything but the handlers is the application's own. A job notes its begin in `<instance>/begun`, waits for the file
JOB_UNTIL where one is named, and writes one line of component `effect` into `system_logs`: what must be there exactly
once.
"""

import os
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flask import Flask, current_app

from app import create_app
from app.config import Config
from app.database import db
from app.models import SystemLog
from app.models.types import LogLevel, RunKind
from app.services.runs import Lease, Outcome, claim
from app.tasks import worker
from app.tasks.handlers import HANDLERS
from app.tasks.work import perform

THREADS = 10


def slow_job(lease: Lease) -> Outcome:
    config: Config = current_app.extensions["spotkeeper"]
    with (config.instance_path / "begun").open("a") as file:
        file.write(f"{lease.run_id} {os.getpid()} {os.getppid()}\n")
    while (until := os.environ.get("JOB_UNTIL")) and not Path(until).exists():
        time.sleep(0.02)
    add_effect(lease)
    return Outcome.succeeded({"effects": 1})


def add_effect(lease: Lease) -> None:
    db.session.add(SystemLog(component="effect", level=LogLevel.INFO, message=str(lease.run_id)))


def serve(app: Flask) -> None:
    """The worker as `flask worker` runs it."""
    worker.GRACE_SECONDS = float(os.environ.get("GRACE_SECONDS", "20"))
    worker.run_worker(app, name=f"test-{secrets.token_hex(4)}", concurrency=1)


def once(app: Flask, run_id: int) -> None:
    """One run, without a broker."""
    with app.app_context():
        did = perform(run_id, worker="once", lease_seconds=app.extensions["spotkeeper"].lease_seconds)
    print("did" if did else "nothing to do", flush=True)


def race(app: Flask, run_id: int) -> None:
    """Many threads that claim one run at the moment the file `go` appears; prints how many got it."""

    def try_it(number: int) -> bool:
        with app.app_context():
            return claim(run_id, f"{os.getpid()}-{number}") is not None

    folder: Path = app.extensions["spotkeeper"].instance_path
    (folder / f"ready-{os.getpid()}").touch()
    while not (folder / f"go-{run_id}").exists():
        time.sleep(0.005)
    with ThreadPoolExecutor(THREADS) as pool:
        print(sum(pool.map(try_it, range(THREADS))), flush=True)


def main() -> None:
    deed, *ids = sys.argv[1:]
    if deed not in {"real", "really"}:
        HANDLERS.update(dict.fromkeys(RunKind, "tests.fakes.worker:slow_job"))
    app = create_app()
    if deed in {"serve", "real"}:
        serve(app)
    else:
        {"once": once, "really": once, "race": race}[deed](app, int(ids[0]))


if __name__ == "__main__":
    main()
