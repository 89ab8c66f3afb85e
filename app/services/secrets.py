"""Looking after the secrets at rest: by which key each was written, whether it opens, moving it to the newest key.

Nothing here shows a secret.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.dml import Update

from app import models
from app.crypto import Place, key_id_of, keyring
from app.database import db
from app.errors import SecretError

#: Every column that holds a sealed secret: those that their models mark as SEALED.
SECRET_COLUMNS: tuple[sa.Column[Any], ...] = tuple(
    column for table in models.Account.metadata.sorted_tables for column in table.columns if column.info.get("sealed")
)


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """What can be said of one stored secret."""

    place: Place
    key_id: str
    """Empty when the value is not in a format of ours."""
    problem: str
    """Why it does not open; empty when it does."""

    @property
    def is_current(self) -> bool:
        """Whether it opens, and was written with the key that writes now."""
        return not self.problem and self.key_id == keyring.writing_id


@dataclass(frozen=True, slots=True)
class Rotation:
    """What one batch of a rotation did."""

    last_row_id: int
    """Where the next batch goes on."""
    examined: int
    rotated: int
    overtaken: int
    """Changed by somebody else meanwhile: written with the newest key by them, or met again on the next run."""
    unreadable: int


def examine_secrets(batch_size: int = 500) -> Iterator[StoredSecret]:
    """Look at every stored secret, in the order of column and row."""
    for column in SECRET_COLUMNS:
        last = 0
        while batch := _read(column, last, batch_size):
            for row_id, stored in batch:
                yield _examine(Place(column.table.name, row_id, column.name), stored)
            last = batch[-1][0]


def rotate_batch(column: sa.Column[Any], *, after_row_id: int, batch_size: int = 100) -> Rotation | None:
    """Re-encrypt the secrets of one column in the next rows by the writing key; None when there are no more rows.

    Changes are flushed; the caller commits after each batch, so that a killed rotation loses one batch and may simply
    be run again. A value that somebody replaced meanwhile is never overwritten: each write asks for the old ciphertext.
    """
    batch = _read(column, after_row_id, batch_size)
    if not batch:
        return None
    rotated = overtaken = unreadable = 0
    for row_id, stored in batch:
        try:
            fresh = keyring.rotate(stored, Place(column.table.name, row_id, column.name))
        except SecretError:
            unreadable += 1
            continue
        if fresh != stored:
            written = db.session.connection().execute(_replace(column, row_id, stored, fresh)).rowcount
            rotated += written
            overtaken += 1 - written
    return Rotation(batch[-1][0], len(batch), rotated, overtaken, unreadable)


def _read(column: sa.Column[Any], after: int, limit: int) -> list[tuple[int, str]]:
    key = column.table.c.id
    select = sa.select(key, column).where(key > after, column.is_not(None)).order_by(key).limit(limit)
    return [(row_id, stored) for row_id, stored in db.session.execute(select)]


def _replace(column: sa.Column[Any], row_id: int, stored: str, fresh: str) -> Update:
    # Not through the model: the row's version and times are its owner's, and this changes nothing that they could see.
    table = column.table
    assert isinstance(table, sa.Table)
    unseen = {name: table.c[name] for name in ("updated_at",) if name in table.c}
    return sa.update(table).where(table.c.id == row_id, column == stored).values({column: fresh, **unseen})


def _examine(place: Place, stored: str) -> StoredSecret:
    key_id = problem = ""
    try:
        key_id = key_id_of(stored)
        keyring.decrypt(stored, place)
    except SecretError as error:
        problem = str(error)
    return StoredSecret(place, key_id, problem)
