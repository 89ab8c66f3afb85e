"""What many tables share: an id known before the INSERT, and the times of creation and change."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from app.columns import BigInt, UtcDateTime
from app.database import new_id


def utc_now() -> datetime:
    """This host's clock, for records; leases and schedules use `database_now()`."""
    return datetime.now(UTC)


#: `info` of a column that holds what `crypto.keyring` sealed: rotation and examination find their columns by it.
SEALED = {"sealed": True}


class Identified:
    """A primary key made by the application when the object is, not when it is flushed."""

    id: Mapped[int] = mapped_column(BigInt, primary_key=True, autoincrement=False, default=new_id, sort_order=-2)

    def __init__(self, **values: Any) -> None:
        # First, because a secret set by a later keyword is bound to this id.
        super().__init__(**{"id": new_id(), **values})


class Timestamped:
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now, sort_order=91)
