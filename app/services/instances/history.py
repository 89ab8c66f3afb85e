"""Writes the history of instances: one row for each change that somebody would want to know of."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import orjson
import sqlalchemy as sa

from app.bulk import insert_rows
from app.database import db, new_ids
from app.models import InstanceChange
from app.models.types import ChangeKind
from app.services.instances.change_tallies import count_changes, deed_of

CHANGES = cast("sa.Table", InstanceChange.__table__)
COLUMNS = (
    *("id", "account_id", "instance_pk", "kind", "field", "before", "after"),
    *("seen_at", "happened_at", "run_id", "event_pk", "note"),
)

#: (kind, field, before, after, when it happened if AWS says)
Change = tuple[ChangeKind, str, Any, Any, datetime | None]


def note_changes(
    account_pk: int,
    changes: Iterable[tuple[int, Change]],
    *,
    seen_at: datetime,
    run_id: int | None = None,
    event_pk: int | None = None,
    note: str | None = None,
) -> None:
    """Write (`instances.id`, change) pairs, in the transaction that changes the instances themselves, and count them
    to their day. The account's row must be locked.

    `note` says why, where somebody or something decided it.
    """
    listed = list(changes)
    told = [
        (
            *(id_, account_pk, instance_pk, kind, field, _json(before), _json(after)),
            *(seen_at, happened_at, run_id, event_pk, note),
        )
        for id_, (instance_pk, (kind, field, before, after, happened_at)) in zip(
            new_ids(len(listed)), listed, strict=True
        )
    ]
    insert_rows(db.session.connection(), CHANGES, COLUMNS, told)
    count_changes(account_pk, (deed_of(*change[:4]) for _, change in listed), seen_at)


def forget_change(row: InstanceChange) -> None:
    """Take one change back, from the history and from the counts of its day; under the lock, too."""
    deed = deed_of(row.kind, row.field, row.before, row.after)
    db.session.delete(row)
    count_changes(row.account_id, [deed], row.seen_at, sign=-1)


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
