"""How many rows of `instances` a second are updated: by the write that discoveries use, and row by row by the ORM.

Both get the same values, ready made, for rows that exist and have changed, as a churning fleet's have, and both write
in one transaction. Seconds are by the clock: on a server most of the work is in the server.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from app.aws.instance_page import read_page
from app.aws.instance_xml import read_instance
from app.bulk import Row, upsert_rows
from app.database import db, new_id
from app.models import Account, Instance
from app.services.discovery import rows
from benchmarks.ec2_fleet import Fleet
from benchmarks.ec2_server import Pages

#: As many rows as a full page of DescribeInstances makes.
BATCH = 1000
#: The ORM's rate does not hang on how many rows there are to write, and many would take minutes.
ORM_ROWS = 1000


def write_rates(instances: int, rounds: int) -> dict[str, Any]:
    """`{"bulk": [rows a second of each round], "orm": [...]}`, measured in turns in the current application."""
    account_pk = db.session.scalars(sa.select(Account.id)).one()
    ids: dict[str, int] = {}
    found: dict[str, Any] = {"bulk": [], "orm": []}
    _bulk(list(_rows(account_pk, ids, instances, generation=0)))
    for turn in range(1, rounds + 1):
        bulk = list(_rows(account_pk, ids, instances, generation=2 * turn - 1))
        found["bulk"].append(len(bulk) / _seconds(_bulk, bulk))
        orm = [_values(row) for row in _rows(account_pk, ids, min(instances, ORM_ROWS), generation=2 * turn)]
        found["orm"].append(len(orm) / _seconds(_row_by_row, orm))
    return found


def _seconds(write: Callable[[Any], None], changed: Sequence[Any]) -> float:
    began = time.perf_counter()
    write(changed)
    return time.perf_counter() - began


def _bulk(changed: Sequence[Row]) -> None:
    connection = db.session.connection()
    for start in range(0, len(changed), BATCH):
        upsert_rows(
            connection,
            rows.INSTANCES,
            rows.COLUMNS,
            changed[start : start + BATCH],
            key=rows.KEY,
            keep=rows.KEPT_COLUMNS,
        )
    db.session.commit()


def _row_by_row(changed: Sequence[dict[str, Any]]) -> None:
    """What a first version would do: find the row, set what is new, go on to the next."""
    kept = {*rows.KEY, *rows.KEPT_COLUMNS}
    for values in changed:
        query = sa.select(Instance).where(
            Instance.account_id == values["account_id"], Instance.instance_id == values["instance_id"]
        )
        instance = db.session.scalars(query).one_or_none()
        if instance is None:
            db.session.add(Instance(**values))
            continue
        for name, value in values.items():
            if name not in kept:
                setattr(instance, name, value)
    db.session.commit()
    db.session.expunge_all()


def _values(row: Row) -> dict[str, Any]:
    """A row as the ORM wants it, which makes the JSON itself."""
    values = dict(zip(rows.COLUMNS, row, strict=True))
    return values | {"instance_metadata": json.loads(values["instance_metadata"])}


def _rows(account_pk: int, ids: dict[str, int], instances: int, generation: int) -> Iterator[Row]:
    """The rows of a fleet of which every instance has changed since the generation before."""
    fleet = Fleet(instances=instances, regions=1, generation=generation, churn_percent=100)
    (region,) = fleet.region_names
    pages, now = Pages(fleet), datetime.now(UTC)
    for number in itertools.count():
        body = pages.page(region, BATCH, number)
        if body is None:
            return
        for raw in read_page(body).instances:
            record = read_instance(raw, region)
            pk = ids.get(record.instance_id) or ids.setdefault(record.instance_id, new_id())
            yield rows.instance_row(account_pk, pk, record, now, "measured")
