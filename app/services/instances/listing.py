"""Reading instances: a page of the list, what it can be narrowed by, and one with all its facts."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from app.database import db
from app.errors import NotFoundError
from app.models import Account, Instance, RegionScan, User
from app.services.instances.filters import InstanceFilters
from app.services.paging import PAGE_SIZE, Page, Sort, fetch_page
from app.services.scope import in_visible_account, visible_accounts

#: What may be sorted by, as the address says it. All are NOT NULL: a missing value has no place in an order.
SORTS = {
    "name": Instance.name_key,
    "id": Instance.instance_id,
    "type": Instance.instance_type,
    "region": Instance.region,
    "state": Instance.state,
    "authorization": Instance.auth_status,
    "seen": Instance.first_seen_at,
}
DEFAULT_SORT = "name"

#: The columns of the list, as plain rows: building objects would take longer than the query.
COLUMNS = (
    Instance.id,
    Instance.instance_id,
    Instance.name,
    Instance.name_key,
    Instance.account_id,
    Account.account_name,
    Instance.instance_type,
    Instance.region,
    Instance.availability_zone,
    Instance.lifecycle,
    Instance.state,
    Instance.missing_since,
    Instance.auth_status,
    Instance.private_ip,
    Instance.public_ip,
    Instance.launched_at,
    Instance.first_seen_at,
)


def parse_sort(text: str) -> tuple[str, bool]:
    """The name of a sort and whether it falls; nonsense is the default."""
    name, is_descending = text.removeprefix("-"), text.startswith("-")
    return (name, is_descending) if name in SORTS else (DEFAULT_SORT, False)


def list_instances(
    viewer: User,
    filters: InstanceFilters,
    *,
    sort: str = DEFAULT_SORT,
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page[Any]:
    """A page of the instances that the viewer may see; rows have the attributes of COLUMNS.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    name, is_descending = parse_sort(sort)
    matching = filters.narrow(sa.select(Instance.id)).where(in_visible_account(Instance.account_id, viewer))
    shown = sa.select(*COLUMNS).join(Account, Account.id == Instance.account_id)
    return fetch_page(matching, shown, Sort(SORTS[name], Instance.id, is_descending), cursor, size=size)


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
