"""What stands in an export: the columns under stable names for scripts, and what each is read from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.models import Account, Instance
from app.services.instances.columns import TAG

#: All tags of an instance as one map; beside it, a tag has a column of its own where the list shows one.
TAGS = "tags"


def _fact(name: str) -> Any:
    return sa.type_coerce(Instance.instance_metadata, sa.JSON)[name].as_string()


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _known(text: str | None) -> str | None:
    # MariaDB has JSON's null as text.
    return None if text == "null" else text


@dataclass(frozen=True, slots=True)
class _Cell:
    reads: Any
    make: Callable[[Any], Any] | None = None


_CELLS: dict[str, _Cell] = {
    "name": _Cell(Instance.name),
    "instance_id": _Cell(Instance.instance_id),
    "account_id": _Cell(Account.account_id),
    "account_name": _Cell(Account.account_name),
    "region": _Cell(Instance.region),
    "availability_zone": _Cell(Instance.availability_zone),
    "availability_zone_id": _Cell(Instance.availability_zone_id),
    "instance_type": _Cell(Instance.instance_type),
    "vcpus": _Cell(_fact("Vcpus"), _integer),
    "lifecycle": _Cell(Instance.lifecycle),
    "state": _Cell(Instance.state),
    "state_changed_at": _Cell(Instance.state_changed_at),
    "state_reason": _Cell(Instance.state_reason),
    "missing_since": _Cell(Instance.missing_since),
    "auth_status": _Cell(Instance.auth_status, str),
    "auth_reason": _Cell(Instance.auth_reason),
    "private_ip": _Cell(Instance.private_ip),
    "public_ip": _Cell(Instance.public_ip),
    "imds": _Cell(_fact("Imds"), _known),
    "image_id": _Cell(Instance.image_id),
    "platform": _Cell(Instance.platform),
    "usage_operation": _Cell(Instance.usage_operation),
    "vpc_id": _Cell(Instance.vpc_id),
    "subnet_id": _Cell(Instance.subnet_id),
    "launched_at": _Cell(Instance.launched_at),
    "first_launched_at": _Cell(Instance.first_launched_at),
    "first_seen_at": _Cell(Instance.first_seen_at),
    "operated_by": _Cell(_fact("OperatedBy"), _known),
}

#: Of a column of the list, what stands in the file.
_OF_COLUMN = {
    "name": ("name",),
    "id": ("instance_id",),
    "account": ("account_id", "account_name"),
    "type": ("instance_type",),
    "vcpus": ("vcpus",),
    "region": ("region",),
    "zone": ("availability_zone", "availability_zone_id"),
    "lifecycle": ("lifecycle",),
    "state": ("state", "missing_since"),
    "authorization": ("auth_status", "auth_reason"),
    "private-ip": ("private_ip",),
    "public-ip": ("public_ip",),
    "exposure": ("public_ip",),
    "imds": ("imds",),
    "image": ("image_id",),
    "platform": ("platform",),
    "vpc": ("vpc_id",),
    "subnet": ("subnet_id",),
    "launched": ("launched_at",),
    "first-launched": ("first_launched_at",),
    "seen": ("first_seen_at",),
    "changed": ("state_changed_at",),
    "operated-by": ("operated_by",),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one file, in order."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, columns: Iterable[str]) -> "Layout":
        """As the list shows them, with the id in any case; without columns, all that there is."""
        shown = tuple(columns)
        if not shown:
            return cls((*_CELLS, TAGS))
        names: dict[str, None] = {}
        for column in shown:
            own = (column,) if column.startswith(TAG) else _OF_COLUMN.get(column, ())
            names |= dict.fromkeys(own)
        return cls(tuple(dict.fromkeys(("instance_id", *names)) if "instance_id" not in names else names))

    @property
    def reads(self) -> list[Any]:
        """What to select, in this order."""
        found = [_CELLS[name].reads.label(f"cell_{name}") for name in self._plain]
        if self._has_tags:
            found.append(sa.type_coerce(Instance.instance_metadata, sa.JSON)["Tags"].as_json().label("cell_tags"))
        return found

    def rows(self, batch: Sequence[Any], *, tags_as: Callable[[dict[str, str]], Any]) -> list[list[Any]]:
        """The cells of what was selected; `tags_as` makes one cell of a map of tags."""
        plain = self._plain
        places = [(place, _CELLS[name].make) for place, name in enumerate(plain)]
        has_tags, at_tags = self._has_tags, len(plain)
        made = []
        for read in batch:
            cells = {plain[place]: make(read[place]) if make else read[place] for place, make in places}
            tags = (read[at_tags] or {}) if has_tags else {}
            made.append([self._cell(name, cells, tags, tags_as) for name in self.names])
        return made

    def _cell(
        self, name: str, cells: dict[str, Any], tags: dict[str, str], tags_as: Callable[[dict[str, str]], Any]
    ) -> Any:
        if name == TAGS:
            return tags_as(tags)
        return tags.get(name.removeprefix(TAG)) if name.startswith(TAG) else cells[name]

    @property
    def _plain(self) -> list[str]:
        return [name for name in self.names if name in _CELLS]

    @property
    def _has_tags(self) -> bool:
        return len(self._plain) < len(self.names)
