"""One installation to be mistreated: database, broker, processes, accounts to read, and what must be true of it."""

import base64
import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit

import flask_migrate
import sqlalchemy as sa

from app import create_app
from app.config import Config
from app.database import db, expect_reads_only
from app.models import Account, Instance, InstanceChange, Run, UserSession
from app.models.mixins import utc_now
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod, RunKind, RunState
from app.services import runs
from app.services.instances.examine import examine_counts, examine_tags
from app.services.system_log_handler import flush_logs
from app.tasks.celery_app import make_celery, queue_names
from benchmarks.ec2_server import Served, access_key
from tests.chaos.fleet import ChurningFleet, Fact, Told, as_json, history
from tests.databases import Databases
from tests.factories import make_account, make_user

ROOT = Path(__file__).parents[2]

BROKERS = {
    "folder": ("", "filesystem://"),
    "redis": ("TEST_REDIS_URL", "redis://127.0.0.1:6379/9"),
    "rabbitmq": ("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}

#: A killed worker's job is taken over after so many seconds.
LEASE_SECONDS = 2


def broker_url(kind: str) -> str:
    variable, default = BROKERS[kind]
    return os.environ.get(variable) or default


class Installation:
    """The application on a database and a broker of its own; close it.

    `fleets` are the accounts, served by `aws`. Processes are started with `start` and end with it.
    """

    def __init__(
        self, folder: Path, database_url: str, aws: Served, fleets: Sequence[ChurningFleet], **env: str
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.aws, self.fleets = aws, list(fleets)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.fspath(ROOT),
            "INSTANCE_PATH": os.fspath(folder),
            "DATABASE_URL": database_url,
            "BROKER_URL": "filesystem://",
            "SPOTKEEPER_ENV": "development",
            "SECRET_KEY": secrets.token_hex(32),
            "ENCRYPTION_KEYS": "k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "LEASE_SECONDS": str(LEASE_SECONDS),
            "AWS_CALLS_PER_HOUR": "0",
            "DISCOVERY_INTERVAL_SECONDS": "86400",
            "LOG_LEVEL": "WARNING",
            "C_FORCE_ROOT": "1",
            **aws.environment(),
            **env,
        }
        # Ours is no tenant's identity, and the workers need none: accounts are connected by keys.
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del self.environment[name]
        self.app = create_app(Config.from_environment(self.environment))
        with self.app.app_context():
            flask_migrate.upgrade()
            owner = make_user()
            self.username = owner.username
            self.account_pks = [_add_account(owner, fleet) for fleet in fleets]
            db.session.commit()
        self._seen: list[list[ChurningFleet]] = []

    @property
    def config(self) -> Config:
        config: Config = self.app.extensions["spotkeeper"]
        return config

    def close(self) -> None:
        for process in self.processes:
            kill(process)
        with contextlib.suppress(Exception), make_celery(self.config, for_worker=False).connection_for_write() as to:
            channel: Any = to.default_channel
            for name in queue_names(self.config):
                channel.queue_delete(queue=name)
        flush_logs()
        with self.app.app_context():
            db.session.remove()
            db.engine.dispose()

    # --- processes -----------------------------------------------------------------------------------------

    def start(self, kind: str, *prefix: str, **env: str) -> subprocess.Popen[bytes]:
        """`worker`, `scheduler` or `web`, as docs/operations.md says, in a group of its own."""
        flask = [sys.executable, "-m", "flask", "--app", "wsgi"]
        web = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{env.get('PORT')}"]
        command = {
            "worker": [*flask, "worker", "--concurrency", "2"],
            "scheduler": [*flask, "scheduler", "--every", "0.5"],
            "web": [*web, "--workers", "1", "--threads", "4"],
        }[kind]
        return self.run([*prefix, *command], kind, **env)

    def perform(self, run_id: int, **env: str) -> subprocess.Popen[bytes]:
        """A process that does one run, without a broker."""
        return self.run([sys.executable, "-m", "tests.fakes.worker", "really", str(run_id)], "perform", **env)

    def run(self, command: Sequence[str], name: str, **env: str) -> subprocess.Popen[bytes]:
        """Anything, in the installation's environment; what it says goes to a file of that name."""
        log = Path(self.environment["INSTANCE_PATH"]) / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env={**self.environment, **env},
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def restart(self, kind: str) -> None:
        """Kill all processes of a kind, and start as many."""
        alive = [process for process in self.processes if kind in list(process.args) and process.poll() is None]  # type: ignore[call-overload]
        for process in alive:
            kill(process)
        for _ in alive:
            self.start(kind)

    # --- work ----------------------------------------------------------------------------------------------

    def become(self, generation: int, *, is_held: bool = False) -> None:
        """Let time pass in AWS, which `is_held` lets answer for one region only, until `let_go()`."""
        self.aws.become(generation=generation, held=int(is_held))
        self.fleets = [replace(fleet, generation=generation) for fleet in self.fleets]

    def let_go(self) -> None:
        self.aws.become(held=0)

    def ask(self, numbers: Sequence[int] | None = None) -> list[int]:
        """Queue a discovery of every account, or of those with these places; the ids of the runs."""
        asked = self.account_pks if numbers is None else [self.account_pks[number] for number in numbers]
        with self.app.app_context():
            ids = [runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, pk)).id for pk in asked]
            db.session.commit()
        return ids

    def are_over(self, run_ids: Sequence[int]) -> bool:
        with self.app.app_context():
            query = sa.select(sa.func.count()).where(Run.id.in_(run_ids), Run.active_key.is_not(None))
            return db.session.scalar(query) == 0

    def wait_for(self, run_ids: Sequence[int], *, seconds: float = 60) -> bool:
        """Whether all are over within that time."""
        return wait_until(lambda: self.are_over(run_ids), seconds=seconds)

    def is_begun(self, run_ids: Sequence[int]) -> bool:
        with self.app.app_context():
            query = sa.select(sa.func.count()).where(Run.id.in_(run_ids), Run.state == RunState.RUNNING)
            return bool(db.session.scalar(query))

    def most_attempts(self, run_ids: Sequence[int]) -> int:
        """How often the one that was begun most often was begun."""
        with self.app.app_context():
            return db.session.scalar(sa.select(sa.func.max(Run.attempt)).where(Run.id.in_(run_ids))) or 0

    def count_workers(self, run_ids: Sequence[int]) -> Counter[str]:
        """How many of the runs each worker did."""
        with self.app.app_context():
            return Counter(db.session.scalars(sa.select(Run.worker).where(Run.id.in_(run_ids))))

    def let_sessions_age(self) -> None:
        """So that the next page of each notes that it is in use."""
        with self.app.app_context():
            db.session.execute(sa.update(UserSession).values(last_seen_at=utc_now() - timedelta(minutes=2)))
            db.session.commit()

    def told(self, run_ids: Sequence[int]) -> list[str]:
        """State and reason of each, in the ledger's words."""
        with self.app.app_context():
            found = db.session.scalars(sa.select(Run).where(Run.id.in_(run_ids))).all()
            return [f"{run.state} ({run.error_message or run.progress_text or '-'})" for run in found]

    def count_missing(self) -> int:
        """Instances that a complete reading no longer showed."""
        with self.app.app_context():
            expect_reads_only(True)  # as pages do: on SQLite it does not wait for who is writing
            try:
                return db.session.scalar(sa.select(sa.func.count()).where(Instance.state == "missing")) or 0
            finally:
                expect_reads_only(False)

    def count_changes(self) -> int:
        """Rows of history."""
        with self.app.app_context():
            return db.session.scalar(sa.select(sa.func.count()).select_from(InstanceChange)) or 0

    def regions_done(self, run_id: int) -> int:
        with self.app.app_context():
            return db.session.scalar(sa.select(Run.progress_done).where(Run.id == run_id)) or 0

    def discovered(self) -> None:
        """The generation that is there now has been discovered to its end: from here on it is part of the past."""
        self._seen.append(list(self.fleets))

    # --- what must be true ---------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """What is lost, doubled, invented, stuck or miscounted; after `discovered()`."""
        with self.app.app_context():
            found = [*self._inventory_problems(), *self._history_problems(), *self._run_problems()]
            for pk in self.account_pks:
                found += examine_counts(pk)
                db.session.rollback()
                last = 0
                while batch := examine_tags(pk, after=last, batch_size=1000):
                    db.session.rollback()
                    last = batch.last_pk
                    found += batch.wrong
                db.session.rollback()
        return found

    def _inventory_problems(self) -> list[str]:
        true = {fact for fleet in self.fleets for fact in fleet.inventory()}
        ids = {fact[0] for fact in true}
        query = sa.select(
            Instance.instance_id,
            Instance.region,
            Instance.state,
            Instance.instance_type,
            Instance.public_ip,
            Instance.instance_metadata,
        )
        kept: list[Fact] = []
        missing = Counter[str]()
        for instance_id, region, state, type_, address, metadata in db.session.execute(query):
            if state == "missing":
                missing[instance_id] += 1
            else:
                kept.append((instance_id, region, state, type_, address, as_json(metadata["Tags"])))
        db.session.rollback()
        problems = []
        if lost := true - set(kept):
            problems.append(f"{len(lost)} instances lost or not as they are, such as {min(lost)[:5]}")
        if invented := set(kept) - true:
            problems.append(f"{len(invented)} instances invented or not as they are, such as {min(invented)[:5]}")
        doubled = [key for key, count in (Counter(fact[0] for fact in kept) + missing).items() if count > 1]
        if doubled:
            problems.append(f"{len(doubled)} instances twice")
        if dead := ids & missing.keys():
            problems.append(f"{len(dead)} live instances called missing")
        return problems

    def _history_problems(self) -> list[str]:
        true: Counter[Told] = Counter()
        for number in range(len(self.account_pks)):
            true += history([fleets[number] for fleets in self._seen])
        query = sa.select(
            Instance.instance_id, InstanceChange.kind, InstanceChange.field, InstanceChange.before, InstanceChange.after
        ).join(Instance, Instance.id == InstanceChange.instance_pk)
        kept = Counter(
            (row[0], row[1].value, row[2], as_json(row[3]), as_json(row[4])) for row in db.session.execute(query)
        )
        db.session.rollback()
        problems = []
        if lost := true - kept:
            problems.append(f"{lost.total()} changes lost, such as {min(lost)}")
        if invented := kept - true:
            problems.append(f"{invented.total()} changes invented, such as {min(invented)}")
        return problems

    def _run_problems(self) -> list[str]:
        discoveries = sa.select(Run).where(Run.kind == RunKind.DISCOVER_ACCOUNT)
        found = db.session.scalars(discoveries).all()
        problems = [f"a run is stuck: {run.state}" for run in found if run.active_key]
        problems += [f"a run failed: {run.error_message}" for run in found if run.state is RunState.FAILED]
        db.session.rollback()
        return problems


@contextmanager
def installed(
    databases: Databases, kind: str, folder: Path, aws: Served, fleets: Sequence[ChurningFleet], **env: str
) -> Iterator[Installation]:
    """An installation on a new database of that kind, gone afterwards."""
    made = Installation(folder, databases.create(kind), aws, fleets, **env)
    try:
        yield made
    finally:
        made.close()


def _add_account(owner: Any, fleet: ChurningFleet) -> int:
    account = make_account(
        owner,
        account_id=fleet.account_id,
        verified_account_id=fleet.account_id,
        connection_method=ConnectionMethod.IAM_ROLE,
        status=AccountStatus.PENDING,
    )
    account.set_access_keys(access_key(fleet.account), "benchmark")
    account.connection_method, account.status = ConnectionMethod.ACCESS_KEYS, AccountStatus.CONNECTED
    account.health = AccountHealth.OK
    db.session.flush()
    return account.id


def kill(process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
    """Signal a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    if number == signal.SIGKILL:
        process.wait()


def kill_child(process: subprocess.Popen[bytes]) -> bool:
    """Kill one process that this one started; False when there is none."""
    # Of each of its threads: a pool's dead processes are replaced by another than the main one.
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    if not children:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(random.choice(children)), signal.SIGKILL)
    return True


def wait_until(condition: Callable[[], object], *, seconds: float, every: float = 0.1) -> bool:
    """Whether the condition became true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def status_of(url: str, *, timeout: float = 10) -> int:
    """The HTTP status of a page; 0 where there is no answer within that time."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code
    except (URLError, OSError):
        return 0


def through(url: str, host: str, port: int) -> str:
    """The same address by way of a proxy."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{at}{host}:{port}"))


def place_of(url: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or default_port


DEFAULT_PORTS: Mapping[str, int] = {"postgresql": 5432, "mariadb": 3306, "redis": 6379, "rabbitmq": 5672}
