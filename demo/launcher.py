"""Starts everything the demo needs, in order, saying what it does; stops all of it at the end, and nothing else."""

import contextlib
import errno
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import IO, TYPE_CHECKING

from demo.processes import Processes

if TYPE_CHECKING:
    from demo.aws.accounts import Fleet

ROOT = Path(__file__).parent.parent
#: A folder of the demo's own: --fresh deletes it.
DATA = Path(os.environ.get("DEMO_DATA") or ROOT / "instance").resolve() / "demo"

#: SQLite, its log and the process logs need a few megabytes; less than this is a disk about to be full.
MIN_FREE_BYTES = 100 * 1024 * 1024
READY_SECONDS = 60

#: Settings of whoever starts the demo that are not for it.
REPLACED = (
    *("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "ENCRYPTION_KEYS"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
)


class DemoError(Exception):
    """The demo cannot go on; the message is one line for the terminal."""


class Stopped(Exception):
    """Somebody asked the demo to stop."""


class Launcher:
    """One run of the demo."""

    def __init__(self, *, is_fresh: bool) -> None:
        self.is_fresh = is_fresh
        self.processes = Processes(DATA / "logs")
        self.started_at = time.monotonic()

    def run(self) -> int:
        """Run until stopped.

        Raises:
            DemoError: something that the demo needs is missing.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        try:
            with self._lock():
                self._start()
                self._wait()
        except Stopped:
            print("\nStopping...", flush=True)
        except OSError as error:
            raise DemoError(_words(error)) from error
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            self.processes.stop()
        return 0

    # --- steps -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        port = _web_port()
        if shutil.disk_usage(DATA).free < MIN_FREE_BYTES:
            raise DemoError(f"there is no room left on the disk of {DATA}: free 100 MB and try again")
        is_first = not (DATA / "spotkeeper.db").exists()
        self.say("First run: making everything anew" if is_first else "Using the data of the last run")

        self.say("Starting the simulated AWS, and bringing the database up to date meanwhile")
        env = self._start_aws()
        os.environ.update(env)
        # Imported now: the settings are read from the environment that has just been made.
        import flask_migrate

        from app import create_app
        from app.database import db
        from demo import story

        app = create_app()
        logging.getLogger("alembic").setLevel(logging.WARNING)
        with app.app_context():
            flask_migrate.upgrade()
            passwords = story.ensure_users(os.environ.get("DEMO_PASSWORD"))
            fleet = self._read_fleet(env)
            self.say(f"Simulated {fleet.instance_count} instances in {len(fleet.accounts)} AWS accounts")
            # First, for a job that comes before its role would count as refused.
            story.connect_accounts(fleet, env["AWS_ENDPOINT_URL"])
            self.say("Starting the worker, the scheduler and the web server; discovering instances")
            flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
            self.processes.start("worker", [*flask, "worker"], env)
            self.processes.start("scheduler", [*flask, "scheduler", "--every", "1"], env)
            self._start_web(port, env)
            story.wait_for_runs(self.say, self._check)
            lines = story.summarize()
            db.session.remove()
        self._wait_for(f"http://127.0.0.1:{port}/readyz", "the web server")
        self._show(port, passwords, lines)

    def _start_aws(self) -> dict[str, str]:
        port = _free_port()
        env = os.environ | {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "INSTANCE_PATH": str(DATA),
            "SPOTKEEPER_ENV": "production",
            "SECURE_COOKIES": "false",  # plain http on loopback
            "DISCOVERY_INTERVAL_SECONDS": "120",
            "LOG_LEVEL": "INFO",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "C_FORCE_ROOT": "1",  # Celery warns about root; on loopback it may be
        }
        for name in REPLACED:
            env.pop(name, None)
            os.environ.pop(name, None)
        self.processes.start(
            "simulated-aws", [sys.executable, "-m", "demo.aws.server", "--port", str(port), "--seed"], env
        )
        return env

    def _read_fleet(self, env: dict[str, str]) -> "Fleet":
        """What there is in the simulated AWS, once it answers; puts our own keys there into `env`."""
        from demo.aws.accounts import Fleet

        told = self._wait_for(f"{env['AWS_ENDPOINT_URL']}/_simulation/fleet", "the simulated AWS")
        fleet = Fleet.from_json(json.loads(told))
        env["AWS_ACCESS_KEY_ID"] = fleet.installation.access_key_id
        env["AWS_SECRET_ACCESS_KEY"] = fleet.installation.secret_access_key
        return fleet

    def _start_web(self, port: int, env: dict[str, str]) -> None:
        self.processes.start(
            "web",
            [
                *(sys.executable, "-m", "gunicorn", "wsgi:app"),
                *("--bind", f"127.0.0.1:{port}", "--graceful-timeout", "10"),
            ],
            env,
        )

    def _wait_for(self, url: str, what: str) -> bytes:
        """What is answered once there is an answer."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            self._check()
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own loopback address
                    body: bytes = answer.read()
                return body
            time.sleep(0.1)
        raise DemoError(f"{what} did not answer within {READY_SECONDS} seconds (see {DATA / 'logs'})")

    def _wait(self) -> None:
        while True:
            self._check()
            time.sleep(0.5)

    def _check(self) -> None:
        dead = self.processes.find_dead()
        if dead:
            raise DemoError(dead)

    # --- words -------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.started_at:5.1f} s] {text}", flush=True)

    def _show(self, port: int, passwords: dict[str, str], lines: list[str]) -> None:
        print("\nAccounts:", *lines, sep="\n")
        print("\nLogins:")
        if passwords:
            for name, password in passwords.items():
                print(f"  {name:<12} {password}")
        else:
            print("  client1, client2, admin, superadmin, with the passwords printed at the first run")
            print("  (FRESH=1 starts over; DEMO_PASSWORD=... sets one password for all four)")
        print("\nCtrl-C stops everything.")
        print(f"\nReady: http://127.0.0.1:{port}", flush=True)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[IO[str]]:
        """Only one demo at a time on this data."""
        DATA.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (DATA.parent / "demo.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DemoError("a demo is running already on this data: stop it first") from None
            if self.is_fresh:
                shutil.rmtree(DATA)
                DATA.mkdir(mode=0o700)
            yield file


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


def _web_port() -> int:
    text = os.environ.get("DEMO_PORT", "")
    if not text:
        return _free_port()
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise DemoError("DEMO_PORT must be a port number from 1 to 65535")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(text)))
        except OSError as error:
            reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise DemoError(f"port {text} {reason}: set DEMO_PORT to another, or leave it out") from None
    return int(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _words(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"there is no room left on the disk of {DATA}"
    return f"{error.strerror or error} ({error.filename or DATA})"
