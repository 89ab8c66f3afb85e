"""The columns of the list of instances: what each is called, what it is read from, and which of them sort."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.models import Account, Instance
from app.services.instances.filters import is_storable


def _fact(name: str) -> Any:
    """A name of the metadata as text; null where AWS says nothing of it."""
    return sa.type_coerce(Instance.instance_metadata, sa.JSON)[name].as_string().label(name.lower())


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in addresses, its head, and what a row needs for it beside `ALWAYS`."""

    name: str
    label: str
    reads: tuple[Any, ...] = ()
    sort: Any = None
    """What it is sorted by; None where no order of it can be read from an index."""


#: What every row has, whatever is shown: building objects instead would take longer than the query.
ALWAYS = (Instance.id, Instance.instance_id, Instance.name, Instance.account_id, Instance.region)

COLUMNS = {
    column.name: column
    for column in (
        Column("name", "Name", (), Instance.name_key),
        Column("id", "Instance id", (), Instance.instance_id),
        Column("account", "Account", (Account.account_name,)),
        Column("type", "Type", (Instance.instance_type,), Instance.instance_type),
        Column("vcpus", "vCPUs", (_fact("Vcpus"),)),
        Column("region", "Region", (), Instance.region),
        Column("zone", "Zone", (Instance.availability_zone,)),
        Column("lifecycle", "Lifecycle", (Instance.lifecycle,)),
        Column("state", "State", (Instance.state, Instance.missing_since), Instance.state),
        Column("authorization", "Authorization", (Instance.auth_status,), Instance.auth_status),
        Column("private-ip", "Private IP", (Instance.private_ip,)),
        Column("public-ip", "Public IP", (Instance.public_ip,)),
        Column("exposure", "Exposure", (Instance.public_ip,)),
        Column("imds", "Metadata service", (_fact("Imds"),)),
        Column("image", "Image", (Instance.image_id,)),
        Column("platform", "Platform", (Instance.platform,)),
        Column("vpc", "VPC", (Instance.vpc_id,)),
        Column("subnet", "Subnet", (Instance.subnet_id,)),
        Column("launched", "Last start", (Instance.launched_at,), Instance.launched_at),
        Column("first-launched", "First launch", (Instance.first_launched_at,)),
        Column("seen", "First seen", (Instance.first_seen_at,), Instance.first_seen_at),
        Column("changed", "State changed", (Instance.state_changed_at,)),
        Column("operated-by", "Managed by", (_fact("OperatedBy"),)),
        Column("console", "AWS console", (Account.partition,)),
    )
}
DEFAULT_COLUMNS = ("name", "id", "account", "type", "zone", "lifecycle", "state", "authorization", "launched")

#: A column of this tag's values.
TAG = "tag:"
MAX_TAG_COLUMNS = 6

SORTS = {column.name: column.sort for column in COLUMNS.values() if column.sort is not None}
DEFAULT_SORT = "name"


def parse_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that are columns, each once, as they come; a row always has a name or an id to open it by."""
    found = dict.fromkeys(name for name in names if name in COLUMNS or _is_tag(name))
    if found and not found.keys() & {"name", "id"}:
        found = {DEFAULT_SORT: None, **found}
    tags = [name for name in found if name.startswith(TAG)]
    return tuple(name for name in found if name not in tags[MAX_TAG_COLUMNS:])


def parse_sort(text: str) -> tuple[str, bool]:
    """The name of a sort and whether it falls; nonsense is the default."""
    name, is_descending = text.removeprefix("-"), text.startswith("-")
    return (name, is_descending) if name in SORTS else (DEFAULT_SORT, False)


def label_of(name: str) -> str:
    """What stands over the column."""
    return name.removeprefix(TAG) if name.startswith(TAG) else COLUMNS[name].label


def tag_keys(names: Iterable[str]) -> list[str]:
    """The keys of the tags among the columns."""
    return [name.removeprefix(TAG) for name in names if name.startswith(TAG)]


def reads(names: Iterable[str], sort: str) -> Iterator[Any]:
    """What has to be selected for these columns in this order, each once."""
    found = [*ALWAYS, SORTS[sort]]
    for name in names:
        found += COLUMNS[name].reads if name in COLUMNS else ()
    seen: set[str] = set()
    for column in found:
        if column.key not in seen:
            seen.add(column.key)
            yield column


def _is_tag(name: str) -> bool:
    return name.startswith(TAG) and bool(name.removeprefix(TAG).strip()) and is_storable(name)
