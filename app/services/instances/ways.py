"""Which way a page of the list is found: along the index of its order, or by gathering all that match and sorting them.

With a million instances the wrong one takes seconds, and none of the databases chooses well every time: SQLite knows
nothing of how often a value occurs, MariaDB cannot believe that a LIMIT is reached soon. We know from the tables of
counts how many match, so we say.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from app.columns import unindexed
from app.database import db
from app.models import Account, Instance, User
from app.models.types import Role
from app.services.instances.columns import SORTS
from app.services.instances.facets import count_matching
from app.services.instances.filters import InstanceFilters, as_it_is
from app.services.paging import count_capped
from app.services.scope import in_visible_account, visible_accounts

INDEXES = {name: f"ix_instances_{column.key}_id" for name, column in SORTS.items()}
KINDS = "ix_instances_kinds"
NAMES = "ix_instances_account_id_name_key_id"

#: Making a list of so many takes as long as it does to meet enough of them on the way.
MANY = 100_000


def find_way(viewer: User, filters: InstanceFilters, *, sort: str, size: int) -> tuple[Any, int, bool]:
    """The query for the ids of all instances that match, how many these are, and whether there are more.

    `sort` is the name of one of SORTS; the query is to be put in that order, and limited to about `size` rows.
    """
    gathered = gather(viewer, filters)
    total, is_capped = _count(viewer, filters, gathered)
    # Along the order about `size / share` rows are looked at, and all that match otherwise.
    if is_capped or total * total > size * _count_all():
        return _along(viewer, filters, sort), total, is_capped
    return gathered, total, is_capped


def count_instances(viewer: User, filters: InstanceFilters) -> tuple[int, bool]:
    """How many the viewer may see of those: exactly where that is kept, else counting to `paging.COUNT_CAP`; and
    whether there are more."""
    return _count(viewer, filters, gather(viewer, filters))


def gather(viewer: User, filters: InstanceFilters) -> Any:
    """The query for the ids of all instances that match, for whoever needs them all or expects few."""
    is_parted = bool(filters.account) or not viewer.can(Role.ADMIN)
    if is_parted and filters.asks_for_name():
        # Each account's names are in order by themselves.
        query = filters.narrow(_using(NAMES), listed=(), seen_as=unindexed_but(Instance.name_key))
        return query.where(Instance.account_id.in_(sa.select(Account.id).where(visible_accounts(viewer))))
    listed = [known_as for known_as, ids in filters.hits() if not count_capped(ids, MANY)[1]]
    if listed:
        # Not many have the word or the tag: these are asked for the rest.
        query = filters.narrow(sa.select(Instance.id), listed=listed, seen_as=unindexed)
        return query.where(in_visible_account(unindexed(Instance.account_id), viewer))
    if is_parted or filters.region:
        # Each account's kinds are ranges of one index, also for who sees every account.
        accounts = sa.select(Account.id).where(visible_accounts(viewer))
        return filters.narrow(_using(KINDS), listed=()).where(Instance.account_id.in_(accounts))
    # Any type is rarer than most states, which SQLite does not know.
    seen_as = unindexed_but(Instance.instance_type) if filters.type else as_it_is
    return filters.narrow(sa.select(Instance.id), listed=(), seen_as=seen_as)


def _count(viewer: User, filters: InstanceFilters, gathered: Any) -> tuple[int, bool]:
    known = count_matching(viewer, filters)
    if known is not None:
        return known, False
    if viewer.can(Role.ADMIN) and filters.is_lone_hit():
        # Who sees every instance need not look at one to know that a tag's index has too many.
        ((_, ids),) = filters.hits()
        counted = count_capped(ids)
        if counted[1]:
            return counted
    return count_capped(gathered)


def _count_all() -> int:
    return int(db.session.scalar(sa.select(sa.func.sum(Account.instance_count))) or 0)


def _along(viewer: User, filters: InstanceFilters, sort: str) -> Any:
    query = filters.narrow(_using(INDEXES[sort]), listed=(), seen_as=unindexed_but(SORTS[sort]))
    return query.where(in_visible_account(unindexed(Instance.account_id), viewer))


def unindexed_but(kept: Any) -> Callable[[Any], Any]:
    """Hides the index of every column but one."""
    return lambda column: column if column is kept else unindexed(column)


def _using(index: str) -> Any:
    """Ids, found by this index: MariaDB is told so, SQLite has no other to take, PostgreSQL finds it by itself."""
    return sa.select(Instance.id).with_hint(Instance, f"FORCE INDEX ({index})", "mysql")
