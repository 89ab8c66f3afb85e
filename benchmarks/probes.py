"""What is measured, each in a process of its own: `python -m benchmarks.probes NAME ARGUMENTS` prints JSON.

Times are CPU seconds (user and system, all threads) of the part that is meant, after imports and a first small call:
a worker lives long. Where the process as a whole is meant, its parent measures it.
"""

import gc
import json
import os
import re
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: A region that no fleet uses: an empty page loads all that is loaded once in a process.
NOWHERE = "eu-north-1"

_WRITES = re.compile(r"\s*(?:INSERT INTO|REPLACE INTO|UPDATE|DELETE FROM)\s+[\"`]?instances[\"`]?\s", re.IGNORECASE)


@dataclass(slots=True)
class Section:
    cpu: float = 0.0
    instances: int = 0
    rows_written: int = 0
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "cpu": self.cpu,
            "instances": self.instances,
            "rows_written": self.rows_written,
            **self.details,
        }


@contextmanager
def section() -> Iterator[Section]:
    """The CPU seconds of a block."""
    found = Section()
    before = os.times()
    yield found
    after = os.times()
    found.cpu = after.user + after.system - before.user - before.system


def boto3_pages(*regions: str) -> dict[str, Any]:
    """Every instance by boto3's paginator, as anybody would; nothing is kept."""
    import boto3

    boto3.client("ec2", region_name=NOWHERE).describe_instances()
    with section() as found:
        for region in regions:
            pages = boto3.client("ec2", region_name=region).get_paginator("describe_instances")
            for page in pages.paginate(PaginationConfig={"PageSize": 1000}):
                found.instances += sum(len(reservation["Instances"]) for reservation in page["Reservations"])
    return found.as_dict()


def read_regions(*regions: str) -> dict[str, Any]:
    """Every instance by Spotkeeper's reader, each made into the record that is stored; nothing is kept."""
    from app.aws.credentials import Credentials
    from app.aws.ec2 import PageRead, read_region
    from app.aws.instance_xml import prepare, read_instance
    from app.aws.records import RegionRead
    from app.tasks.memory import tune_memory

    credentials = Credentials(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])

    def take(page: PageRead) -> None:
        for raw in page.instances:
            read_instance(raw, page.region)
            found.instances += 1

    read_region(credentials, NOWHERE)
    prepare()
    tune_memory()
    with section() as found:
        for region in regions:
            if not isinstance(read := read_region(credentials, region, on_page=take), RegionRead):
                raise SystemExit(f"{region} was not read: {read.message}")
    return found.as_dict()


def server_version(kind: str) -> dict[str, Any]:
    from benchmarks import installation

    return {"version": installation.server_version(kind)}


def install(folder: str, database_url: str) -> dict[str, Any]:
    """Make the database ready; not measured."""
    from benchmarks import installation

    installation.install(installation.make_app(Path(folder), database_url))
    return {}


def install_on_server(folder: str, kind: str, name: str) -> dict[str, Any]:
    """The same in a new database; its URL."""
    from benchmarks import installation

    url = installation.create_database(kind, name)
    installation.install(installation.make_app(Path(folder), url))
    return {"url": url}


def drop_database(kind: str, name: str) -> dict[str, Any]:
    from benchmarks import installation

    installation.drop_database(kind, name)
    return {}


def discover(folder: str, database_url: str) -> dict[str, Any]:
    """The real job, once; the parent measures the whole process."""
    return _in_app(folder, database_url, lambda: _discovery().as_dict())


def rediscover(folder: str, database_url: str, server: str, generation: str) -> dict[str, Any]:
    """The real job on a fleet that has not changed, then on one of which a part has; both after one that warms up."""

    def work() -> dict[str, Any]:
        _discovery()
        unchanged = _discovery()
        with urllib.request.urlopen(f"{server}/fleet?generation={generation}", data=b""):
            pass
        return {"unchanged": unchanged.as_dict(), "changed": _discovery().as_dict()}

    return _in_app(folder, database_url, work)


def _in_app(folder: str, database_url: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    # As `wsgi.py` and `app.tasks.worker.run_worker` do.
    gc.disable()
    from app.aws.instance_xml import prepare
    from app.database import db
    from app.tasks.handlers import import_handlers
    from app.tasks.memory import tune_memory
    from benchmarks.installation import make_app

    app = make_app(Path(folder), database_url)
    gc.enable()
    import_handlers()
    prepare()
    tune_memory()
    with app.app_context():
        found = work()
        db.engine.dispose()
    return found


def _discovery() -> Section:
    import sqlalchemy as sa
    from sqlalchemy import event

    from app.database import db
    from app.models import Account, Run
    from app.models.types import RunKind, RunState
    from app.services.runs import enqueue
    from app.tasks.work import perform

    run_id = enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.scalars(sa.select(Account)).one()).id
    db.session.commit()
    rows = 0

    def count(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, is_many: bool) -> None:
        nonlocal rows
        if _WRITES.match(statement):
            # MariaDB counts a row twice when an upsert finds it there.
            rows += len(parameters) if is_many else max(cursor.rowcount, 0)

    event.listen(db.engine, "after_cursor_execute", count)
    try:
        with section() as found:
            perform(run_id, worker="bench", lease_seconds=60)
    finally:
        event.remove(db.engine, "after_cursor_execute", count)
    run = db.session.get_one(Run, run_id)
    if run.state is not RunState.SUCCEEDED:
        raise SystemExit(f"The discovery is {run.state}: {run.error_message}")
    account = db.session.get_one(Account, run.account_id, populate_existing=True)
    found.instances, found.rows_written, found.details = account.instance_count, rows, {"summary": run.summary}
    db.session.commit()
    return found


def write_rates(folder: str, database_url: str, instances: str, rounds: str) -> dict[str, Any]:
    """Rows a second of the bulk write and of the ORM's, in turns."""
    from benchmarks.writes import write_rates

    return _in_app(folder, database_url, lambda: write_rates(int(instances), int(rounds)))


PROBES: dict[str, Callable[..., dict[str, Any]]] = {
    probe.__name__: probe
    for probe in (
        boto3_pages,
        read_regions,
        server_version,
        install,
        install_on_server,
        drop_database,
        discover,
        rediscover,
        write_rates,
    )
}

if __name__ == "__main__":
    json.dump(PROBES[sys.argv[1]](*sys.argv[2:]), sys.stdout)
