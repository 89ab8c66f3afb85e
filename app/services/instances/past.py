"""The list of instances as it stood at a moment: rebuilt for the page that is shown, and for no more."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, InstanceChange, User
from app.models.instance_change import FIELDS
from app.services.instances.comparison import later
from app.services.instances.filters import InstanceFilters, as_id
from app.services.instances.moments import rebuild
from app.services.instances.timeline import LABELS
from app.services.paging import Sort
from app.services.scope import parts_by_account, visible_accounts
from app.services.sifting import SiftedPage, fetch_sifted_page

#: The list is in the order of today's names: an order of names at the moment would need all of them rebuilt.
SORT = Sort(Instance.name_key, Instance.id)

#: What was filtered by then, under the names that the filters have; an account and a region are for ever.
PAST_COLUMNS = {
    "state": Instance.state,
    "lifecycle": Instance.lifecycle,
    "type": Instance.instance_type,
}

#: So many accounts are named that were not read yet.
MOST_NAMED = 6


@dataclass(frozen=True, slots=True)
class PastInstance:
    """One instance as it was; what is not told of by history is of today."""

    id: int
    instance_id: str
    account_id: int
    account_name: str
    region: str
    availability_zone: str
    name: str
    state: str
    instance_type: str
    lifecycle: str
    private_ip: str
    public_ip: str
    first_seen_at: datetime
    changed_since: Sequence[str]
    """Labels of what has become different since."""


def list_past(
    viewer: User, filters: InstanceFilters, moment: datetime, cursor: str | None = None
) -> SiftedPage[PastInstance]:
    """A page of the instances known at that moment, as they were; of the filters account, region, state, lifecycle and
    type count. In at most six statements, whatever the size of the fleet and of its history.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    whose = parts_by_account(Instance.account_id, viewer, _accounts_of(filters))
    candidates = [sa.select(Instance.id).where(part) for part in whose]

    def sift(query: Any) -> Any:
        query = InstanceFilters(region=filters.region).narrow(query.where(Instance.first_seen_at <= moment))
        for name, column in PAST_COLUMNS.items():
            if wanted := getattr(filters, name):
                query = query.where(_had(column, wanted, moment))
        return query

    shown = sa.select(
        Instance.id,
        Instance.name_key,
        Instance.instance_id,
        Instance.account_id,
        Account.account_name,
        Instance.region,
        Instance.availability_zone,
        Instance.first_seen_at,
        *(getattr(Instance, name) for name in FIELDS),
    ).join(Account, Account.id == Instance.account_id)
    page = fetch_sifted_page(candidates, sift, shown, SORT, cursor)
    changes = _deciding_changes([row.id for row in page.items], moment)
    return replace(page, items=[_rebuilt(row, changes.get(row.id, ()), moment) for row in page.items])


def list_unread_accounts(
    viewer: User, filters: InstanceFilters, moment: datetime
) -> tuple[Sequence[tuple[str, datetime | None]], int]:
    """The first accounts of which no complete discovery was over at that moment, as (name, when it was if ever), and
    how many there are in all: of them nothing, or not everything, was known."""
    unread = sa.or_(Account.baseline_at.is_(None), Account.baseline_at > moment)
    conditions = [visible_accounts(viewer), unread]
    if filters.account:
        conditions.append(Account.id.in_(_accounts_of(filters)))
    count = db.session.scalar(sa.select(sa.func.count()).select_from(Account).where(*conditions)) or 0
    rows = db.session.execute(
        sa.select(Account.account_name, Account.baseline_at)
        .where(*conditions)
        .order_by(Account.account_name, Account.id)
        .limit(MOST_NAMED)
    )
    return [(row.account_name, row.baseline_at) for row in rows], count


def _accounts_of(filters: InstanceFilters) -> list[int]:
    """The accounts asked for; for nonsense one that there is not, and none where all are asked for."""
    return [as_id(text) or 0 for text in filters.account]


def _had(column: Any, wanted: Sequence[str], moment: datetime) -> sa.ColumnElement[bool]:
    """Whether the column had one of these values then: it has it and has not changed, or the first change since took it
    away. (The same rule as in `moments.rebuild`.)"""
    changed = [InstanceChange.instance_pk == Instance.id, InstanceChange.field == column.key, *later(moment)]
    # Compared as JSON text, which all databases have alike for a plain string.
    first_before = (
        sa.select(sa.cast(InstanceChange.before, sa.Text))
        .where(*changed)
        .order_by(InstanceChange.id)
        .limit(1)
        .correlate(Instance)
        .scalar_subquery()
    )
    has_changed = sa.select(InstanceChange.id).where(*changed).correlate(Instance).exists()
    return sa.or_(
        sa.and_(column.in_(wanted), ~has_changed),
        first_before.in_([json.dumps(value, ensure_ascii=False) for value in wanted]),
    )


def _deciding_changes(instance_pks: Sequence[int], moment: datetime) -> Mapping[int, list[InstanceChange]]:
    """For each instance the first change since of each field: it says what was before it, and the later ones nothing
    more. In one statement."""
    if not instance_pks:
        return {}
    first_ids = (
        sa.select(sa.func.min(InstanceChange.id).label("id"))
        .where(InstanceChange.instance_pk.in_(instance_pks), InstanceChange.field.in_(FIELDS), *later(moment))
        .group_by(InstanceChange.instance_pk, InstanceChange.field)
        .subquery()
    )
    found: dict[int, list[InstanceChange]] = {}
    for change in db.session.scalars(sa.select(InstanceChange).join(first_ids, first_ids.c.id == InstanceChange.id)):
        found.setdefault(change.instance_pk, []).append(change)
    return found


def _rebuilt(row: Any, changes: Sequence[InstanceChange], moment: datetime) -> PastInstance:
    present = {(name, ""): getattr(row, name) for name in FIELDS}
    was = rebuild(present, changes, moment)
    values = {field.name: getattr(row, field.name) for field in fields(PastInstance) if hasattr(row, field.name)}
    values |= {name: was[name, ""] for name in FIELDS if name in values}
    since = [LABELS[name] for name in FIELDS if was[name, ""] != present[name, ""]]
    return PastInstance(**values, changed_since=since)
