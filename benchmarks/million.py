"""A large inventory to measure pages on: a million instances over 200 accounts in a few minutes, on any database.

    python -m benchmarks.million                                              # SQLite, million.db in this folder
    python -m benchmarks.million --database postgresql://... --instances 100000

The database must be empty; it is migrated, filled through the application's own tables, and left. `client` owns five of
the accounts, `fleet` all the others, `admin` sees everything. The same arguments make the same inventory, ids and
moments apart.
"""

import argparse
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import flask_migrate
import orjson
import sqlalchemy as sa

from app.bulk import Row, insert_rows
from app.database import db, new_ids
from app.models import Account, Instance, InstanceTag, RegionScan, User
from app.models.types import AccountHealth, AccountStatus, AuthSource, AuthStatus, ConnectionMethod, RegionResult, Role
from app.services.instances.tallies import refresh_tallies
from benchmarks.installation import make_app

FEW_ACCOUNTS = 5
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2")
FAMILIES = ("t3", "m5", "m6i", "c5", "c6g", "r5", "r6g", "i3")
SIZES = {"medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16}
ROLES = ("web", "api", "worker", "etl", "cache", "ml", "build", "gateway")
TEAMS = 40
BATCH = 20_000
_BASELINE = (AuthStatus.AUTHORIZED, AuthSource.BASELINE)

INSTANCES = cast("sa.Table", Instance.__table__)
TAGS = cast("sa.Table", InstanceTag.__table__)
COLUMNS = (
    *(
        "id",
        "account_id",
        "instance_id",
        "instance_type",
        "state",
        "lifecycle",
        "auth_status",
        "auth_source",
        "auth_reason",
    ),
    *("auth_changed_at", "region", "availability_zone", "availability_zone_id", "name", "name_key", "private_ip"),
    *("public_ip", "vpc_id", "subnet_id", "image_id", "platform", "usage_operation", "launched_at"),
    *("first_launched_at", "state_changed_at", "state_reason_code", "state_reason", "first_seen_at", "missing_since"),
    *("content_hash", "raw_hash", "instance_metadata", "created_at", "updated_at"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--database", default=f"sqlite:///{Path('million.db').absolute()}", help="an empty database")
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--filler", type=int, default=0, help="bytes to add to each instance's metadata")
    options = parser.parse_args()
    app = make_app(Path.cwd(), options.database)
    with app.app_context():
        flask_migrate.upgrade()
        fill(instances=options.instances, accounts=options.accounts, filler=options.filler)
        db.engine.dispose()


def fill(*, instances: int, accounts: int, filler: int = 0) -> dict[str, int]:
    """Fill the migrated, empty database of the open application context; the three users' ids by name."""
    people = _add_people()
    owned = [_add_account(people["client" if number < FEW_ACCOUNTS else "fleet"], number) for number in range(accounts)]
    connection = db.session.connection()
    left = _without_indexes(connection)
    began = time.perf_counter()
    dice = random.Random(7)
    homes = [_Home(dice, account_pk) for account_pk in owned]
    for start in range(0, instances, BATCH):
        numbers = range(start, min(start + BATCH, instances))
        rows, tags = [], []
        for number, instance_pk in zip(numbers, new_ids(len(numbers)), strict=True):
            row, of_it = dice.choice(homes).launch(dice, instance_pk, number, filler)
            rows.append(row)
            tags += of_it
        insert_rows(connection, INSTANCES, COLUMNS, rows)
        insert_rows(connection, TAGS, ("instance_pk", "key", "value"), tags)
    _say(f"{instances:,} rows", began)
    began = time.perf_counter()
    for index in left:
        index.create(connection)
    _say(f"{len(left)} indexes", began)
    began = time.perf_counter()
    for account_pk in owned:
        refresh_tallies(account_pk)
    db.session.commit()
    refresh_statistics()
    _say("counts and statistics", began)
    return people


def refresh_statistics() -> None:
    """What a server does by itself after a while: planners choose by them. SQLite is left without, as it is used."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in ("accounts", "instances", "instance_tags", "instance_tallies", "region_scans"):
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(f"VACUUM ANALYZE {name}")
            elif connection.dialect.name == "mysql":
                connection.exec_driver_sql(f"ANALYZE TABLE {name}").close()


def _add_people() -> dict[str, int]:
    roles = {"client": Role.CLIENT, "fleet": Role.CLIENT, "admin": Role.ADMIN}
    users = {
        name: User(username=name, email=f"{name}@example.com", password_hash="-", role=role)
        for name, role in roles.items()
    }
    db.session.add_all(users.values())
    db.session.flush()
    return {name: user.id for name, user in users.items()}


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
    db.session.flush()
    return account.id


class _Home:
    """An account with habits: a few regions, a dozen types, a network."""

    def __init__(self, dice: random.Random, account_pk: int) -> None:
        self.account_pk = account_pk
        self.regions = dice.sample(REGIONS, 3)
        self.types = [(f"{dice.choice(FAMILIES)}.{size}", SIZES[size]) for size in dice.choices(list(SIZES), k=12)]
        self.vpc = f"vpc-{dice.getrandbits(68):017x}"
        self.image = f"ami-{dice.getrandbits(68):017x}"
        self.now = datetime.now(UTC)

    def launch(self, dice: random.Random, instance_pk: int, number: int, filler: int) -> tuple[Row, list[Row]]:
        chance = dice.random()
        region, (kind, vcpus) = dice.choice(self.regions), dice.choice(self.types)
        state = "running" if chance < 0.8 else "stopped" if chance < 0.97 else "terminated"
        name = f"{ROLES[number % len(ROLES)]}-{number:07d}"
        started = self.now - timedelta(seconds=dice.randrange(20_000_000))
        team = f"team-{dice.randrange(TEAMS)}"
        env = "prod" if chance < 0.5 else "dev"
        facts: dict[str, Any] = {
            "Imds": "optional" if chance < 0.1 else "required",
            "Vcpus": vcpus,
            "Tags": {"Name": name, "team": team, "env": env},
        }
        if filler:
            facts["UserData"] = "x" * filler
        random_bits = dice.getrandbits(68)
        row = (
            *(instance_pk, self.account_pk, f"i-{random_bits:017x}", kind, state),
            "spot" if chance < 0.3 else "on-demand",
            *((AuthStatus.UNAUTHORIZED, AuthSource.NONE) if number % 50 == 0 else _BASELINE),
            *("Found", None),
            *(region, region + "abc"[number % 3], "", name, name),
            f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            f"52.{number >> 12 & 255}.{number >> 4 & 255}.{number & 15}" if number % 20 == 0 else "",
            *(self.vpc, f"subnet-{region[:6]}", self.image, "Linux/UNIX", "RunInstances"),
            *(started, started, None, "", "", started, None, f"{random_bits:064x}", f"{random_bits:032x}"),
            *(orjson.dumps(facts).decode(), self.now, self.now),
        )
        return row, [(instance_pk, "Name", name), (instance_pk, "team", team), (instance_pk, "env", env)]


def _without_indexes(connection: sa.Connection) -> list[sa.Index]:
    """Drop what is quicker to build afterwards; MariaDB keeps those that its foreign keys need."""
    found = [
        index
        for table in (INSTANCES, TAGS)
        for index in sorted(table.indexes, key=lambda each: str(each.name))
        if not any(column.foreign_keys for column in list(index.columns)[:1])
    ]
    for index in found:
        index.drop(connection)
    return found


def _say(what: str, began: float) -> None:
    print(f"{what} in {time.perf_counter() - began:.0f} s on {db.engine.dialect.name}", flush=True)


if __name__ == "__main__":
    main()
