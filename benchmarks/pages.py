"""What the inventory's pages cost with a full house against an almost empty one, as ratios of one interleaved run.

    python -m benchmarks.pages                                   # SQLite in a temporary folder
    python -m benchmarks.pages --database postgresql://... --instances 100000

A server database must be empty; it is migrated, filled, and left as it is. Each page is asked for in turn with few
instances and with many, by a client who owns them all and by an admin; the figure is the median.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import flask_migrate
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.database import db, new_id
from app.models import Account, Instance, InstanceTag, RegionScan, User
from app.models.types import AccountHealth, AccountStatus, AuthStatus, ConnectionMethod, RegionResult, Role
from app.services.instances.filters import InstanceFilters
from app.services.instances.listing import list_instances
from app.services.instances.tallies import refresh_tallies
from app.services.sessions import start_session
from benchmarks.installation import make_app

#: A full page of them, so that both pages show as many rows.
FEW = 60
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2")
TYPES = ("t3.micro", "t3.medium", "m5.large", "m5.xlarge", "c5.large", "r6g.xlarge", "m6i.4xlarge")
ROLES = ("web", "api", "worker", "etl", "cache", "ml")
BATCH = 1000

PAGES = {
    "first page": "/instances",
    "sorted by state, falling": "/instances?sort=-state",
    "filtered": "/instances?state=stopped&region=eu-west-1",
    "by tag": "/instances?tag=team%3Dteam3",
    "search, few hits": "/instances?q=web-0000001",
    "search, many hits": "/instances?q=web",
    "dashboard": "/",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", help="URL of an empty database; without it SQLite in a temporary folder")
    parser.add_argument("--instances", type=int, default=10_000)
    parser.add_argument("--accounts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = make_app(Path(folder), options.database or f"sqlite:///{folder}/pages.db")
        with app.app_context():
            flask_migrate.upgrade()
            people = seed_people()
            fill(people["few"], FEW, 2)
            began = time.perf_counter()
            fill(people["many"], options.instances, options.accounts)
            refresh_statistics()
            print(f"{options.instances:,} instances in {time.perf_counter() - began:.0f} s on {db.engine.dialect.name}")
        browsers = {name: sign_in(app, user_id) for name, user_id in people.items()}
        print(f"{'':28}{'few':>9}{'many':>9}{'ratio':>7}{'admin':>9}{'ratio':>7}  SQL, its time (many)")
        for name, address in PAGES.items():
            measure(app, browsers, name, dict.fromkeys(browsers, address), options.rounds)
        deep = {viewer: late_page(app, user_id) for viewer, user_id in people.items()}
        measure(app, browsers, "a page far down", deep, options.rounds)
        with app.app_context():
            db.engine.dispose()


def seed_people() -> dict[str, int]:
    roles = {"few": Role.CLIENT, "many": Role.CLIENT, "admin": Role.ADMIN}
    users = {
        name: User(username=name, email=f"{name}@example.com", password_hash="-", role=role)
        for name, role in roles.items()
    }
    db.session.add_all(users.values())
    db.session.commit()
    return {name: user.id for name, user in users.items()}


def fill(user_id: int, count: int, accounts: int) -> None:
    """Instances spread evenly over accounts of this user, each with three tags."""
    dice = random.Random(count)
    account_ids = [_add_account(user_id, count + number) for number in range(accounts)]
    table = cast("sa.Table", Instance.__table__)
    tag_table = cast("sa.Table", InstanceTag.__table__)
    for start in range(0, count, BATCH):
        rows = [_instance(dice, dice.choice(account_ids), start + i) for i in range(min(BATCH, count - start))]
        tags = [
            {"instance_pk": row["id"], "key": key, "value": value}
            for row in rows
            for key, value in (("Name", row["name"]), ("team", f"team{dice.randrange(40)}"), ("env", "prod"))
        ]
        db.session.execute(sa.insert(table), rows)
        db.session.execute(sa.insert(tag_table), tags)
        db.session.commit()
    for account_id in account_ids:
        refresh_tallies(account_id)
    db.session.commit()


def _add_account(user_id: int, number: int) -> int:
    aws_id = f"{100_000_000_000 + number}"
    account = Account(
        user_id=user_id,
        account_id=aws_id,
        verified_account_id=aws_id,
        account_name=f"Account {number}",
        connection_method=ConnectionMethod.IAM_ROLE,
        role_arn=f"arn:aws:iam::{aws_id}:role/Spotkeeper",
        external_id=f"{number:032x}",
        status=AccountStatus.ACTIVE,
        health=AccountHealth.OK,
    )
    now = datetime.now(UTC)
    db.session.add(account)
    db.session.flush()
    db.session.add_all(
        RegionScan(account_id=account.id, region=region, result=RegionResult.READ, since_at=now, last_read_at=now)
        for region in REGIONS
    )
    db.session.commit()
    return account.id


def _instance(dice: random.Random, account_id: int, number: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    region = dice.choice(REGIONS)
    name = f"{dice.choice(ROLES)}-{number:07d}"
    return {
        "id": new_id(),
        "account_id": account_id,
        "instance_id": f"i-{dice.getrandbits(68):017x}",
        "instance_type": dice.choice(TYPES),
        "state": dice.choice(("running", "running", "running", "stopped", "terminated")),
        "lifecycle": dice.choice(("on-demand", "spot")),
        "auth_status": dice.choice((AuthStatus.AUTHORIZED, AuthStatus.AUTHORIZED, AuthStatus.UNAUTHORIZED)),
        "region": region,
        "availability_zone": region + dice.choice("abc"),
        "name": name,
        "name_key": name,
        "private_ip": f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}",
        "launched_at": now,
        "first_seen_at": now - timedelta(seconds=dice.randrange(10**6)),
        # About what a described instance leaves, so that a row has the size of a real one.
        "instance_metadata": {"NetworkInterfaces": [{"Description": "x" * 3000}]},
    }


def refresh_statistics() -> None:
    """What a server does by itself after a while: planners choose by them."""
    dialect = db.engine.dialect.name
    for name in ("accounts", "instances", "instance_tags", "region_scans"):
        if dialect != "sqlite":
            db.session.execute(sa.text(f"ANALYZE {'TABLE ' if dialect == 'mysql' else ''}{name}")).close()
    db.session.commit()


def sign_in(app: Flask, user_id: int) -> FlaskClient:
    with app.app_context():
        _, token = start_session(db.session.get_one(User, user_id), lifetime_seconds=3600)
        db.session.commit()
    client = app.test_client()
    with client.session_transaction() as cookie:
        cookie.update({"_user_id": str(user_id), "_fresh": True, "token": token})
    return client


def late_page(app: Flask, user_id: int) -> str:
    """The address of a page in the last part of the list."""
    with app.app_context():
        viewer = db.session.get_one(User, user_id)
        page = list_instances(viewer, InstanceFilters(), sort="-name")
        for _ in range(2):
            if page.next:
                page = list_instances(viewer, InstanceFilters(), sort="-name", cursor=page.next)
        return f"/instances?sort=-name&cursor={page.previous}" if page.previous else "/instances?sort=-name"


def measure(app: Flask, browsers: dict[str, FlaskClient], name: str, addresses: dict[str, str], rounds: int) -> None:
    """Print the medians of one page for the three viewers, asked for in turns."""
    seconds: dict[str, list[float]] = {viewer: [] for viewer in browsers}
    statements: list[float] = []
    for turn in range(rounds + 1):
        for viewer, browser in browsers.items():
            with timed_statements(app) as found:
                began = time.perf_counter()
                response = browser.get(addresses[viewer])
                took = time.perf_counter() - began
            if response.status_code != 200:
                raise SystemExit(f"{addresses[viewer]} answers {response.status_code}")
            if turn:  # the first one fills caches
                seconds[viewer].append(took)
            if viewer == "many":
                statements = found
    few, many, admin = (statistics.median(seconds[viewer]) * 1000 for viewer in ("few", "many", "admin"))
    sql = f"{len(statements)}, {sum(statements) * 1000:.1f} ms, slowest {max(statements) * 1000:.1f} ms"
    print(f"{name:28}{few:6.1f} ms{many:6.1f} ms{many / few:7.2f}{admin:6.1f} ms{admin / few:7.2f}  {sql}")


@contextmanager
def timed_statements(app: Flask) -> Iterator[list[float]]:
    """Collects how long each statement took, without the fetching of its rows."""
    with app.app_context():
        engine = db.engine
    seconds: list[float] = []
    began = [0.0]

    def before(*_: object) -> None:
        began[0] = time.perf_counter()

    def after(*_: object) -> None:
        seconds.append(time.perf_counter() - began[0])

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield seconds
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


if __name__ == "__main__":
    main()
