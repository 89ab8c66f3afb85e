"""The fault matrix as a table: each fault of AWS as a whole discovery, and the next one after it."""

from pathlib import Path

import flask_migrate
import pytest
from flask import Flask

from app import create_app
from demo.aws.server import AwsServer
from tests.chaos.report import Table
from tests.databases import KINDS, Databases, make_config
from tests.fakes.aws import simulation
from tests.integration.discovery.fault_matrix import MOST_CALLS, ROWS
from tests.integration.discovery.fault_runs import PAGE_SIZE, FaultedAccount


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """Every row on every database."""
    table = Table(
        f"{len(ROWS)} faults of AWS: five regions, two pages each, at most {MOST_CALLS} calls",
        ("fault", "account and region say", "calls", "seconds", *KINDS),
    )
    results: dict[str, list[str]] = {row.name: [] for row in ROWS}
    facts: dict[str, tuple[str, int, float]] = {}
    with AwsServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.aws.ec2.PAGE_SIZE", PAGE_SIZE)
        for kind in KINDS:
            with simulation(server, patch) as aws:
                faulted = FaultedAccount(_app(databases, kind, folder), aws)
                for row in ROWS:
                    seen = faulted.run(row)
                    results[row.name].append("FAULT" if seen.problems else "ok")
                    table.problems += [f"{kind}, {row.name}: {problem}" for problem in seen.problems]
                    before = facts.get(row.name, (seen.standing, 0, 0.0))
                    facts[row.name] = (seen.standing, max(before[1], seen.calls), max(before[2], seen.seconds))
    for row in ROWS:
        standing, calls, seconds = facts[row.name]
        table.rows.append((row.name, standing, calls, f"{seconds:.1f}", *results[row.name]))
    return table


def _app(databases: Databases, kind: str, folder: Path) -> Flask:
    place = folder / kind
    place.mkdir()
    app = create_app(make_config(databases.create(kind), place, AWS_CALLS_PER_HOUR="0", LOG_LEVEL="ERROR"))
    with app.app_context():
        flask_migrate.upgrade()
    return app
