"""Reading instances: a page of the list, what it can be narrowed by, and one with all its facts."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from app.database import db
from app.errors import NotFoundError
from app.models import Account, Instance, RegionScan, User
from app.services.instances.columns import DEFAULT_COLUMNS, DEFAULT_SORT, SORTS, parse_sort, reads
from app.services.instances.filters import InstanceFilters
from app.services.paging import PAGE_SIZE, Page, Sort, count_capped, fetch_page
from app.services.scope import in_visible_account, visible_accounts


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
    matching = filters.narrow(sa.select(Instance.id)).where(in_visible_account(Instance.account_id, viewer))
    shown = sa.select(*reads(columns, name)).join(Account, Account.id == Instance.account_id)
    return fetch_page(matching, shown, Sort(SORTS[name], Instance.id, is_descending), cursor, size=size)


def count_instances(viewer: User, filters: InstanceFilters) -> tuple[int, bool]:
    """How many the viewer may see of those, counting to `paging.COUNT_CAP`, and whether there are more."""
    return count_capped(filters.narrow(sa.select(Instance.id)).where(in_visible_account(Instance.account_id, viewer)))


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
