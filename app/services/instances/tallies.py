"""How many instances of each kind there are: one grouped reading, from which facets and the dashboard take theirs."""

from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, User
from app.services.scope import visible_accounts

#: What is counted by, under the names that the filters have.
KINDS = {
    "region": Instance.region,
    "state": Instance.state,
    "lifecycle": Instance.lifecycle,
    "auth_status": Instance.auth_status,
    "type": Instance.instance_type,
}


@dataclass(frozen=True, slots=True)
class Tallies:
    """Every combination of kinds that occurs, in the order of KINDS, with how often."""

    rows: list[tuple[tuple[str, ...], int]]

    def count(self, **wanted: str) -> int:
        """How many instances have these values: `count(state="running", lifecycle="spot")`."""
        names = list(KINDS)
        places = [(names.index(name), value) for name, value in wanted.items()]
        return sum(number for values, number in self.rows if all(values[at] == value for at, value in places))

    def by(self, name: str, **wanted: str) -> list[tuple[str, int]]:
        """(value, count) of one kind among those that have the wanted values, the most frequent first."""
        names = list(KINDS)
        place = names.index(name)
        places = [(names.index(other), value) for other, value in wanted.items()]
        counts: Counter[str] = Counter()
        for values, number in self.rows:
            if all(values[at] == value for at, value in places):
                counts[values[place]] += number
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))


def tally_instances(viewer: User) -> Tallies:
    """Count the instances that the viewer may see; one statement, answered from the index `ix_instances_kinds`."""
    accounts = sa.select(Account.id).where(visible_accounts(viewer))
    columns = list(KINDS.values())
    # The accounts are named even for those who see them all: the index begins with the account.
    rows = db.session.execute(
        sa.select(*columns, sa.func.count()).where(Instance.account_id.in_(accounts)).group_by(*columns)
    )
    return Tallies([(tuple(str(value) for value in values), number) for *values, number in rows])
