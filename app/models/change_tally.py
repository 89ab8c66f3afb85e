"""What happened to an account's instances on one day: what the days of the overview are counted from.

Kept by whoever writes `instance_changes`, in the same transaction (services/instances/change_tallies.py): the history
of a busy fortnight is millions of rows.
"""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class ChangeTally(Base):
    __tablename__ = "change_tallies"
    __table_args__ = (
        # For everybody's accounts at once.
        sa.Index(None, "day"),
    )

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    """In UTC, by when we came to know of it (`instance_changes.seen_at`)."""

    readings: Mapped[int] = mapped_column(default=0)
    """Discoveries that read at least one region; a day without any tells nothing by its zeros."""

    appeared: Mapped[int] = mapped_column(default=0)
    """New, or back after having been missing."""

    started: Mapped[int] = mapped_column(default=0)
    stopped: Mapped[int] = mapped_column(default=0)
    terminated: Mapped[int] = mapped_column(default=0)
    vanished: Mapped[int] = mapped_column(default=0)
    """Gone missing: AWS no longer lists them, and never said that they ended."""
