"""Takes in the pages of one region as they come: compares each with what is known, and keeps only what differs.

Only reads the database, in transactions that are over when it returns; what is kept is written by `store_region` once
the region was read to its end.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from app.aws.records import InstanceRecord
from app.database import db, new_id
from app.models import Instance
from app.services.discovery.differences import FIELDS, Difference, appearance, differences
from app.services.discovery.spool import Spool

if TYPE_CHECKING:
    from app.aws.instance_page import RawInstance

#: What a difference is told from.
_BEFORE = (
    Instance.id,
    *(getattr(Instance, name) for name in FIELDS),
    Instance.launched_at,
    Instance.state_changed_at,
    Instance.instance_metadata,
)


class Taken(NamedTuple):
    """An instance that has to be written."""

    instance_pk: int
    is_new: bool
    known: tuple[str, str]
    """The `raw_hash` and state that it was compared with: others now mean that somebody has changed it since."""

    record: InstanceRecord
    differences: tuple[Difference, ...]


class _Known(NamedTuple):
    id: int
    raw_hash: str
    state: str
    content_hash: str


@dataclass(slots=True)
class Counts:
    """Of one region so far."""

    seen: int = 0
    added: int = 0
    changed: int = 0


class Intake:
    """One region of an account while it is being read. Close it."""

    def __init__(self, account_pk: int, region: str, began_at: datetime) -> None:
        self.account_pk = account_pk
        self.region = region
        self.began_at = began_at
        """When the reading began, by the database's clock: what is taken in is as of this moment, or later."""

        self.counts = Counts()
        self.spool = Spool()
        self.present: array[int] = array("q")
        """`instances.id` of all that the pages showed, eight bytes each."""

        self.rehashed: list[tuple[int, str]] = []
        """(`instances.id`, new raw hash) where the bytes alone have changed."""

    def take(self, page: "Sequence[RawInstance]") -> None:
        """Compare one page with what is stored.

        Raises:
            PageError: an instance came damaged; then the region counts as unread.
        """
        known = self._known([raw.instance_id for raw in page])
        present = self.present
        differing: list[tuple[RawInstance, _Known | None]] = []
        for raw in page:
            found = known.get(raw.instance_id)
            if found is not None:
                present.append(found.id)
                if found.raw_hash == raw.raw_hash:
                    continue
            differing.append((raw, found))
        self.counts.seen += len(page)
        if differing:
            self._keep(differing)

    def close(self) -> None:
        self.spool.close()

    def _keep(self, differing: "Sequence[tuple[RawInstance, _Known | None]]") -> None:
        from app.aws.instance_xml import read_instance  # lxml stays out of the web process

        batch: list[Taken] = []
        changed: dict[int, tuple[InstanceRecord, _Known]] = {}
        for raw, found in differing:
            record = read_instance(raw, self.region)
            if found is None:
                instance_pk = new_id()
                self.present.append(instance_pk)
                batch.append(Taken(instance_pk, True, ("", ""), record, (appearance(record),)))
            elif found.content_hash != record.content_hash:
                changed[found.id] = (record, found)
            else:
                self.rehashed.append((found.id, record.raw_hash))
        before = self._before(list(changed))
        for instance_pk, (record, found) in changed.items():
            if instance_pk in before:  # else its account is being disconnected
                told = tuple(differences(before[instance_pk], record))
                batch.append(Taken(instance_pk, False, (found.raw_hash, found.state), record, told))
        self.counts.added += sum(taken.is_new for taken in batch)
        self.counts.changed += len(changed)
        if batch:
            self.spool.put(batch)

    def _known(self, instance_ids: Sequence[str]) -> dict[str, _Known]:
        query = sa.select(
            Instance.instance_id, Instance.id, Instance.raw_hash, Instance.state, Instance.content_hash
        ).where(Instance.account_id == self.account_pk, Instance.instance_id.in_(instance_ids))
        found = {row[0]: _Known(*row[1:]) for row in db.session.execute(query)}
        db.session.rollback()
        return found

    def _before(self, instance_pks: Sequence[int]) -> dict[int, dict[str, Any]]:
        if not instance_pks:
            return {}
        rows = db.session.execute(sa.select(*_BEFORE).where(Instance.id.in_(instance_pks)))
        found = {row.id: row._asdict() for row in rows}
        db.session.rollback()
        return found
