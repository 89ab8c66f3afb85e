"""How many instances of each kind there are: one grouped reading, from which facets and the dashboard take theirs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, User
from app.services.scope import visible_accounts

TABLE = cast("sa.Table", Instance.__table__)

#: What is counted by, under the names that the filters have.
KINDS = {
    "region": TABLE.c.region,
    "state": TABLE.c.state,
    "lifecycle": TABLE.c.lifecycle,
    "auth_status": sa.type_coerce(TABLE.c.auth_status, sa.String),
    "type": TABLE.c.instance_type,
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
    """Count the instances that the viewer may see; one statement, answered from the index `ix_instances_kinds`."""
    accounts = sa.select(Account.id).where(visible_accounts(viewer))
    columns = list(KINDS.values())
    # The accounts are named even for those who see them all: the index begins with the account.
    query = sa.select(*columns, sa.func.count()).where(TABLE.c.account_id.in_(accounts)).group_by(*columns)
    return Tallies(db.session.execute(query).all())
