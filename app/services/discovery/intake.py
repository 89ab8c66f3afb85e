"""Takes in the pages of one region as they come: compares each with what is known, and keeps only what differs.

Only reads the database, in transactions that are over when it returns; what is kept is written by `store_region` once
the region was read to its end.
"""

from array import array
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from app.aws.records import InstanceRecord
from app.database import db, new_ids
from app.models import Instance
from app.models.instance_change import FIELDS
from app.services.discovery.changes import Changes
from app.services.discovery.differences import Difference, appearance, differences
from app.services.discovery.rows import fitted
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
    is_retagged: bool
    """Whether its tags are others; not all of that is history."""


class _Stored(NamedTuple):
    """A row that a page's instance may have become different from."""

    id: int
    raw_hash: str
    state: str
    content_hash: str
    state_changed_at: datetime | None


class Intake:
    """One region of an account while it is being read. Close it."""

    def __init__(self, account_pk: int, region: str, began_at: datetime) -> None:
        self.account_pk = account_pk
        self.region = region
        self.began_at = began_at
        """When the reading began, by the database's clock: what is taken in is as of this moment, or later."""

        self.found = Changes()
        """So far; what vanished shows only at the end."""

        self.spool = Spool()
        self.present: array[int] = array("q")
        """`instances.id` of all that the pages showed, eight bytes each."""

        self.rehashed: list[tuple[int, str, str]] = []
        """(`instances.id`, raw hash compared with, new raw hash) where the bytes alone have changed."""

    def take(self, page: "Sequence[RawInstance]") -> None:
        """Compare one page with what is stored.

        Raises:
            PageError: an instance came damaged; then the region counts as unread.
        """
        known = self._known([raw.instance_id for raw in page])
        differing: list[RawInstance] = []
        for raw in page:
            instance_pk, raw_hash = known.get(raw.instance_id, (None, ""))
            if instance_pk is not None:
                self.present.append(instance_pk)
            if raw_hash != raw.raw_hash:
                differing.append(raw)
        self.found += Changes(seen=len(page))
        if differing:
            self._keep(differing, known)

    def close(self) -> None:
        self.spool.close()

    def _keep(self, differing: "Sequence[RawInstance]", known: Mapping[str, tuple[int, str]]) -> None:
        from app.aws.instance_xml import read_instance  # lxml stays out of the web process

        records = [fitted(read_instance(raw, self.region)) for raw in differing]
        fresh = [record for record in records if record.instance_id not in known]
        batch = [
            Taken(instance_pk, True, ("", ""), record, (appearance(record),), True)
            for instance_pk, record in zip(new_ids(len(fresh)), fresh, strict=True)
        ]
        self.present.extend(taken.instance_pk for taken in batch)
        stored = self._stored([known[record.instance_id][0] for record in records if record.instance_id in known])
        changed: dict[int, InstanceRecord] = {}
        for record in records:
            row = stored.get(known.get(record.instance_id, (0, ""))[0])
            if row is None or self._has_later_news(row):
                continue  # new; or its account is being disconnected; or an event knows better
            if row.content_hash == record.content_hash:
                self.rehashed.append((row.id, row.raw_hash, record.raw_hash))
            else:
                changed[row.id] = record
        before = self._before(list(changed))
        for instance_pk, record in changed.items():
            if instance_pk in before:
                row = stored[instance_pk]
                told = tuple(differences(before[instance_pk], record))
                is_retagged = before[instance_pk]["instance_metadata"].get("Tags") != record.tags
                batch.append(Taken(instance_pk, False, (row.raw_hash, row.state), record, told, is_retagged))
        self.found += Changes(added=len(fresh), changed=len(batch) - len(fresh))
        if batch:
            self.spool.put(batch)

    def _has_later_news(self, row: _Stored) -> bool:
        """Whether an event has told of it since the reading began: the page may be older, and the next one will not."""
        return not row.raw_hash and row.state_changed_at is not None and row.state_changed_at > self.began_at

    def _known(self, instance_ids: Sequence[str]) -> dict[str, tuple[int, str]]:
        """(`instances.id`, raw hash) of those that are stored; from an index alone."""
        query = sa.select(Instance.instance_id, Instance.id, Instance.raw_hash).where(
            Instance.account_id == self.account_pk, Instance.instance_id.in_(instance_ids)
        )
        found = {instance_id: (id_, raw_hash) for instance_id, id_, raw_hash in db.session.execute(query)}
        db.session.rollback()
        return found

    def _stored(self, instance_pks: Sequence[int]) -> dict[int, _Stored]:
        if not instance_pks:
            return {}
        query = sa.select(
            Instance.id, Instance.raw_hash, Instance.state, Instance.content_hash, Instance.state_changed_at
        ).where(Instance.id.in_(instance_pks))
        found = {row[0]: _Stored(*row) for row in db.session.execute(query)}
        db.session.rollback()
        return found

    def _before(self, instance_pks: Sequence[int]) -> dict[int, dict[str, Any]]:
        if not instance_pks:
            return {}
        rows = db.session.execute(sa.select(*_BEFORE).where(Instance.id.in_(instance_pks)))
        found = {row.id: row._asdict() for row in rows}
        db.session.rollback()
        return found
