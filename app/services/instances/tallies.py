"""How many instances of each kind there are: kept beside them, read by the choices of the list and the dashboard."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, InstanceTally, InstanceTypeTally, User
from app.models.instance import MISSING
from app.models.types import AuthStatus
from app.services.scope import in_visible_account

INSTANCES = cast("sa.Table", Instance.__table__)
TALLIES = cast("sa.Table", InstanceTally.__table__)
TYPE_TALLIES = cast("sa.Table", InstanceTypeTally.__table__)

#: What is counted by, under the names that the filters have.
KINDS = {
    "region": TALLIES.c.region,
    "state": TALLIES.c.state,
    "lifecycle": TALLIES.c.lifecycle,
    "auth_status": sa.type_coerce(TALLIES.c.auth_status, sa.String),
}
TYPE_KINDS = {"state": TYPE_TALLIES.c.state, "type": TYPE_TALLIES.c.instance_type}


class AuthMove(NamedTuple):
    """From which count to which an instance goes whose authorization changes."""

    region: str
    state: str
    lifecycle: str
    before: AuthStatus
    after: AuthStatus


@dataclass(frozen=True, slots=True)
class Tallies:
    """Every combination of some kinds that occurs, in the order of `names`, with how often as the last item."""

    names: Sequence[str]
    rows: Sequence[Any]

    def count(self, **wanted: str) -> int:
        """How many instances have these values: `count(state="running", lifecycle="spot")`."""
        return sum(row[-1] for row in self._having(wanted))

    def by(self, name: str, **wanted: str) -> list[tuple[str, int]]:
        """(value, count) of one kind among those that have the wanted values, the most frequent first."""
        place = self.names.index(name)
        counts: Counter[str] = Counter()
        for row in self._having(wanted):
            counts[row[place]] += row[-1]
        return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def _having(self, wanted: dict[str, str]) -> Iterator[Any]:
        conditions = [(self.names.index(name), value) for name, value in wanted.items()]
        return (row for row in self.rows if all(row[place] == value for place, value in conditions))


def tally_instances(viewer: User) -> Tallies:
    """Count the instances that the viewer may see, by all kinds but their types."""
    return _read(viewer, TALLIES, KINDS)


def tally_types(viewer: User) -> Tallies:
    """Count the instances that the viewer may see, by type and state."""
    return _read(viewer, TYPE_TALLIES, TYPE_KINDS)


def tally_account(account_pk: int) -> Tallies:
    """Count the instances of one account that the caller may see, by all kinds but their types."""
    return _counts(TALLIES, KINDS, TALLIES.c.account_id == account_pk)


def tally_running_types(viewer: User) -> Tallies:
    """Count the running instances that the viewer may see, by type."""
    return _read(viewer, TYPE_TALLIES, {"type": TYPE_KINDS["type"]}, TYPE_TALLIES.c.state == "running")


def _read(viewer: User, table: sa.Table, kinds: Mapping[str, Any], *conditions: sa.ColumnElement[bool]) -> Tallies:
    return _counts(table, kinds, in_visible_account(table.c.account_id, viewer), *conditions)


def _counts(table: sa.Table, kinds: Mapping[str, Any], *conditions: sa.ColumnElement[bool]) -> Tallies:
    """In one statement whose cost is that of the kinds, not the fleet."""
    columns = list(kinds.values())
    query = sa.select(*columns, sa.cast(sa.func.sum(table.c.count), sa.Integer)).where(*conditions).group_by(*columns)
    return Tallies(tuple(kinds), db.session.execute(query).all())


def refresh_tallies(account_pk: int, region: str | None = None) -> None:
    """Count one account's instances anew, in one region or all; in the transaction that changed them.

    The account's row is locked first: of two that change its instances at once the second counts what both did.
    """
    db.session.flush()
    db.session.execute(sa.select(Account.id).where(Account.id == account_pk).with_for_update())
    for table in (TALLIES, TYPE_TALLIES):
        db.session.execute(sa.delete(table).where(*_of(table, account_pk, region)))
        names, counted = _counted(table, account_pk, region)
        db.session.execute(sa.insert(table).from_select([*names, "count"], counted))
    _count_present(account_pk)


def move_tallies(account_pk: int, instance_pk: int, *, from_state: str) -> None:
    """Count one instance under the state that it has now instead of `from_state`.

    For whoever changes a single one: counting a region anew takes a tenth of a second where it has 100,000. The
    account's row must be locked already, and the instance written.
    """
    names = {column.name for table in (TALLIES, TYPE_TALLIES) for column in table.primary_key}
    query = sa.select(*(INSTANCES.c[name] for name in sorted(names))).where(INSTANCES.c.id == instance_pk)
    now = db.session.execute(query).one()._mapping
    for table in (TALLIES, TYPE_TALLIES):
        kind = {column.name: now[column.name] for column in table.primary_key}
        assert kind["account_id"] == account_pk
        before, after = _is_kind(table, {**kind, "state": from_state}), _is_kind(table, kind)
        # A kind of which there is none has no row.
        if not _changes_a_row(sa.delete(table).where(*before, table.c.count == 1)):
            db.session.execute(sa.update(table).where(*before).values(count=table.c.count - 1))
        if not _changes_a_row(sa.update(table).where(*after).values(count=table.c.count + 1)):
            db.session.execute(sa.insert(table).values(**kind, count=1))
    _count_present(account_pk)


def move_auth_tallies(account_pk: int, moves: Mapping[AuthMove, int]) -> None:
    """Count so many instances under the status that they have now instead of the one before.

    For whoever changes some of many. The account's row must be locked already.
    """
    changes: Counter[tuple[str, str, str, AuthStatus]] = Counter()
    for move, count in moves.items():
        changes[*move[:3], move.before] -= count
        changes[*move[:3], move.after] += count
    for (region, state, lifecycle, status), change in changes.items():
        kind = {"account_id": account_pk, "region": region, "state": state, "lifecycle": lifecycle}
        kind["auth_status"] = status
        of_kind = _is_kind(TALLIES, kind)
        # A kind of which there is none has no row.
        if _changes_a_row(sa.delete(TALLIES).where(*of_kind, TALLIES.c.count == -change)):
            continue
        if change and not _changes_a_row(sa.update(TALLIES).where(*of_kind).values(count=TALLIES.c.count + change)):
            db.session.execute(sa.insert(TALLIES).values(**kind, count=change))


def _count_present(account_pk: int) -> None:
    """Keep `accounts.instance_count`: how many there are, whatever their state, but for those that went missing."""
    present = sa.select(sa.func.coalesce(sa.func.sum(TALLIES.c.count), 0)).where(
        TALLIES.c.account_id == account_pk, TALLIES.c.state != MISSING
    )
    db.session.execute(
        sa.update(Account)
        .where(Account.id == account_pk)
        .values(instance_count=present.scalar_subquery(), updated_at=Account.updated_at)
        .execution_options(synchronize_session=False)
    )


def _is_kind(table: sa.Table, kind: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
    return [table.c[name] == value for name, value in kind.items()]


def _changes_a_row(statement: sa.Delete | sa.Update) -> bool:
    return bool(getattr(db.session.execute(statement), "rowcount", 0))


def find_wrong_tallies(account_pk: int) -> list[str]:
    """What the tallies of an account say that its instances do not bear out, one line for each difference."""
    wrong = []
    for table in (TALLIES, TYPE_TALLIES):
        names, counted = _counted(table, account_pk, None)
        kept = sa.select(*(table.c[name] for name in names), table.c.count).where(table.c.account_id == account_pk)
        told = {tuple(row[:-1]): row[-1] for row in db.session.execute(kept)}
        true = {tuple(row[:-1]): row[-1] for row in db.session.execute(counted)}
        wrong += [
            f"{table.name}: {told.get(kind, 0)} instead of {true.get(kind, 0)} for {', '.join(map(str, kind[1:]))}"
            for kind in sorted(told.keys() | true.keys(), key=str)
            if told.get(kind) != true.get(kind)
        ]
    return wrong


def _counted(table: sa.Table, account_pk: int, region: str | None) -> tuple[list[str], sa.Select[Any]]:
    names = [column.name for column in table.primary_key]
    columns = [INSTANCES.c[name] for name in names]
    counted = sa.select(*columns, sa.func.count()).where(*_of(INSTANCES, account_pk, region)).group_by(*columns)
    return names, counted


def _of(table: sa.Table, account_pk: int, region: str | None) -> list[sa.ColumnElement[bool]]:
    conditions = [table.c.account_id == account_pk]
    return conditions if region is None else [*conditions, table.c.region == region]
