"""How many instances of each kind there are: kept beside them, read by the choices of the list and the dashboard."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, InstanceTally, User
from app.services.scope import in_visible_account

INSTANCES = cast("sa.Table", Instance.__table__)
TALLIES = cast("sa.Table", InstanceTally.__table__)

#: What is counted by, under the names that the filters have.
KINDS = {
    "region": TALLIES.c.region,
    "state": TALLIES.c.state,
    "lifecycle": TALLIES.c.lifecycle,
    "auth_status": sa.type_coerce(TALLIES.c.auth_status, sa.String),
    "type": TALLIES.c.instance_type,
}
PLACES = {name: place for place, name in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Tallies:
    """Every combination of kinds that occurs, in the order of KINDS, with how often as the last item."""

    rows: Sequence[Any]

    def count(self, **wanted: str) -> int:
        """How many instances have these values: `count(state="running", lifecycle="spot")`."""
        return sum(row[-1] for row in self._having(wanted))

    def by(self, name: str, **wanted: str) -> list[tuple[str, int]]:
        """(value, count) of one kind among those that have the wanted values, the most frequent first."""
        place = PLACES[name]
        counts: Counter[str] = Counter()
        for row in self._having(wanted):
            counts[row[place]] += row[-1]
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def _having(self, wanted: dict[str, str]) -> Iterator[Any]:
        conditions = [(PLACES[name], value) for name, value in wanted.items()]
        return (row for row in self.rows if all(row[place] == value for place, value in conditions))


def tally_instances(viewer: User) -> Tallies:
    """Count the instances that the viewer may see, in one statement whose cost is that of the kinds, not the fleet."""
    columns = list(KINDS.values())
    query = (
        sa.select(*columns, sa.cast(sa.func.sum(TALLIES.c.count), sa.Integer))
        .where(in_visible_account(InstanceTally.account_id, viewer))
        .group_by(*columns)
    )
    return Tallies(db.session.execute(query).all())


def refresh_tallies(account_pk: int, region: str | None = None) -> None:
    """Count one account's instances anew, in one region or all; in the transaction that changed them.

    The account's row is locked first: of two that change its instances at once the second counts what both did.
    """
    db.session.flush()
    db.session.execute(sa.select(Account.id).where(Account.id == account_pk).with_for_update())
    kinds = ("account_id", "region", "state", "lifecycle", "auth_status", "instance_type")
    columns = [INSTANCES.c[name] for name in kinds]
    counted = sa.select(*columns, sa.func.count()).where(*_of(INSTANCES, account_pk, region)).group_by(*columns)
    db.session.execute(sa.delete(TALLIES).where(*_of(TALLIES, account_pk, region)))
    db.session.execute(sa.insert(TALLIES).from_select([*kinds, "count"], counted))


def _of(table: sa.Table, account_pk: int, region: str | None) -> list[sa.ColumnElement[bool]]:
    conditions = [table.c.account_id == account_pk]
    return conditions if region is None else [*conditions, table.c.region == region]
