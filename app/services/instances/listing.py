"""Reading instances: a page of the list, what it can be narrowed by, and one with all its facts."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from app.database import db
from app.errors import NotFoundError
from app.models import Account, Instance, InstanceTag, RegionScan, User
from app.services.instances.columns import DEFAULT_COLUMNS, DEFAULT_SORT, SORTS, parse_sort, reads
from app.services.instances.filters import InstanceFilters
from app.services.instances.ways import count_instances, find_way
from app.services.paging import PAGE_SIZE, Page, Sort, fetch_page
from app.services.scope import visible_accounts

__all__ = [
    "count_instances",
    "find_region_scan",
    "find_tags",
    "get_instance",
    "has_accounts",
    "list_account_choices",
    "list_instances",
]


def list_instances(
    viewer: User,
    filters: InstanceFilters,
    *,
    sort: str = DEFAULT_SORT,
    columns: Sequence[str] = DEFAULT_COLUMNS,
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[Any]:
    """A page of the instances that the viewer may see; a row has what these columns read, and `columns.ALWAYS`.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    name, is_descending = parse_sort(sort)
    matching, total, is_capped = find_way(viewer, filters, sort=name, size=size)
    shown = sa.select(*reads(columns, name)).join(Account, Account.id == Instance.account_id)
    sorting = Sort(SORTS[name], Instance.id, is_descending)
    return fetch_page(matching, shown, sorting, cursor, size=size, total=(total, is_capped))


def find_tags(instance_pks: Sequence[int], keys: Sequence[str]) -> dict[tuple[int, str], str]:
    """The values of these tags by (instance, key), where instances carry them."""
    if not instance_pks or not keys:
        return {}
    query = sa.select(InstanceTag.instance_pk, InstanceTag.key, InstanceTag.value).where(
        InstanceTag.instance_pk.in_(instance_pks), InstanceTag.key.in_(keys)
    )
    return {(row.instance_pk, row.key): row.value for row in db.session.execute(query)}


def has_accounts(viewer: User) -> bool:
    """Whether the viewer may see any account."""
    return db.session.scalar(sa.select(Account.id).where(visible_accounts(viewer)).limit(1)) is not None


def list_account_choices(viewer: User) -> list[tuple[int, str]]:
    """The viewer's accounts as (id, name), by name."""
    rows = db.session.execute(
        sa.select(Account.id, Account.account_name)
        .where(visible_accounts(viewer))
        .order_by(sa.func.lower(Account.account_name), Account.id)
    )
    return [(row.id, row.account_name) for row in rows]


def get_instance(viewer: User, instance_pk: int) -> Instance:
    """One instance with its account and who authorized it.

    Raises:
        NotFoundError: there is none, or it is not the viewer's to see.
    """
    found = db.session.scalar(
        sa.select(Instance)
        .join(Account, Account.id == Instance.account_id)
        .where(Instance.id == instance_pk, visible_accounts(viewer))
        .options(joinedload(Instance.account), joinedload(Instance.auth_changed_by))
    )
    if found is None:
        raise NotFoundError("There is no such instance.")
    return found


def find_region_scan(instance: Instance) -> RegionScan | None:
    """How the instance's region was last read."""
    return db.session.scalar(
        sa.select(RegionScan).where(RegionScan.account_id == instance.account_id, RegionScan.region == instance.region)
    )
