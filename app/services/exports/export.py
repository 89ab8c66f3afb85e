"""An export from its request to its last byte: what is in it, how far it is, and that it was taken.

Rows are read by key, a batch at a time and each in a short transaction of its own: memory stays flat, nothing is
locked, and a file takes as long as its reader wants. It shows each instance as it is when its turn comes.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from app.database import db, own_transaction
from app.errors import InvalidInputError
from app.models import Account, Export, Instance, User
from app.models.mixins import utc_now
from app.models.types import ExportFormat, ExportState
from app.services import system_logs
from app.services.exports.columns import Layout
from app.services.exports.writers import WRITERS
from app.services.instances.address import ListAddress
from app.services.instances.columns import SORTS, parse_sort
from app.services.paging import Sort, walk
from app.services.scope import in_visible_account

BATCH = 2_000

#: Progress is written at most this often, in seconds.
REPORT_EVERY = 1.0

#: One that has been silent for so long has lost its process.
SILENT_FOR = timedelta(minutes=2)

LATEST = 5


@dataclass(frozen=True, slots=True)
class ExportFile:
    """What is to be sent. Holds no row: it outlives the transaction, and the request's session."""

    id: int
    format: ExportFormat
    layout: Layout
    sort: Sort
    matching: sa.Select[int]

    def chunks(self) -> Generator[bytes, None, None]:
        """The bytes; for a session that only reads. Says how far it is in transactions of its own.

        Whoever stops reading leaves an export that says so.
        """
        writer = WRITERS[self.format]()
        rows = sent = 0
        state, reported_at = ExportState.BROKEN, time.monotonic()
        try:
            sent += len(head := writer.begin(self.layout.names))
            yield head
            for batch in self._batches():
                chunk = writer.rows(batch)
                rows += len(batch)
                sent += len(chunk)
                if time.monotonic() - reported_at > REPORT_EVERY:
                    _report(self.id, rows_done=rows, bytes_sent=sent)
                    reported_at = time.monotonic()
                if chunk:
                    yield chunk
            for chunk in writer.end():
                sent += len(chunk)
                yield chunk
            state = ExportState.DONE
        finally:
            writer.close()
            _report(self.id, rows_done=rows, bytes_sent=sent, state=state, finished_at=utc_now())

    def _batches(self) -> Iterator[list[list[Any]]]:
        shown = sa.select(*self.layout.reads, Instance.id, self.sort.column)
        shown = shown.join(Account, Account.id == Instance.account_id)
        # JSON has maps; elsewhere all tags stand in one cell, as JSON.
        tags_as = dict if self.format is ExportFormat.JSON_LINES else _as_text
        for batch in walk(self.matching, shown, self.sort, size=BATCH):
            yield self.layout.rows(batch, tags_as=tags_as)


def begin_export(viewer: User, address: ListAddress, format: ExportFormat) -> ExportFile:
    """Note that the viewer takes these instances away, and count them. Flushes.

    Raises:
        InvalidInputError: the search cannot be read: nobody has said which instances are meant.
    """
    if address.error:
        raise InvalidInputError(address.error, field="q")
    narrowed: sa.Select[int] = address.filters.narrow(sa.select(Instance.id))
    matching = narrowed.where(in_visible_account(Instance.account_id, viewer))
    total = db.session.scalar(sa.select(sa.func.count()).select_from(matching.subquery())) or 0
    export = Export(user_id=viewer.id, format=format, query=address.to_query(), rows_total=total)
    db.session.add(export)
    system_logs.record(
        "audit", "Instances exported", user=viewer, format=format.value, instances=total, query=export.query
    )
    db.session.flush()
    name, is_descending = parse_sort(address.sort)
    sort = Sort(SORTS[name], Instance.id, is_descending)
    return ExportFile(export.id, format, Layout.of(address.columns), sort, matching)


def list_latest_exports(viewer: User) -> Sequence[Export]:
    """The viewer's last few, newest first."""
    return db.session.scalars(
        sa.select(Export).where(Export.user_id == viewer.id).order_by(Export.id.desc()).limit(LATEST)
    ).all()


def is_under_way(export: Export) -> bool:
    """Whether it is still being sent, as far as anybody knows."""
    return export.state is ExportState.RUNNING and utc_now() - export.reported_at < SILENT_FOR


def _report(export_id: int, **values: object) -> None:
    with own_transaction() as session:
        session.execute(sa.update(Export).where(Export.id == export_id).values(reported_at=utc_now(), **values))


def _as_text(tags: dict[str, str]) -> str:
    return orjson.dumps(tags, option=orjson.OPT_SORT_KEYS).decode() if tags else ""
