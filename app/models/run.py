"""The jobs ledger: what is to be done, what is under way and who holds it. The broker only wakes workers."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import Json, UtcDateTime, enum_column
from app.database import Base
from app.errors import FaultCode
from app.models.account import Account
from app.models.mixins import Identified, utc_now
from app.models.types import RunKind, RunState


class Run(Identified, Base):
    __tablename__ = "runs"
    __table_args__ = (
        sa.Index(None, "state", "due_at"),
        sa.Index(None, "account_id", "id"),
        sa.CheckConstraint(
            "state <> 'running' OR (token IS NOT NULL AND lease_until IS NOT NULL)", name="running_is_held"
        ),
        sa.CheckConstraint("progress_done >= 0 AND progress_total >= 0", name="progress_not_negative"),
    )

    kind: Mapped[RunKind] = mapped_column(enum_column(RunKind, "kind"))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    requested_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """Who asked; null for the schedule."""

    state: Mapped[RunState] = mapped_column(enum_column(RunState, "state"), default=RunState.QUEUED)
    active_key: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    """`<kind>:<account id>` while queued or running, null afterwards: a second request joins the first."""

    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempt: Mapped[int] = mapped_column(default=0)
    """How many times it was claimed; above `runs.MAX_ATTEMPTS` it is parked as failed."""

    token: Mapped[str | None] = mapped_column(sa.String(32))
    """The present holder's. Everything the holder writes is conditional on it, which fences a holder that lost it."""

    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    worker: Mapped[str] = mapped_column(sa.String(128), default="")
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    progress_text: Mapped[str] = mapped_column(sa.String(200), default="")
    summary: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """Counts of what was done: regions read, instances seen, added, changed, missing."""

    error_code: Mapped[FaultCode | None] = mapped_column(enum_column(FaultCode, "error_code"))
    error_message: Mapped[str] = mapped_column(sa.Text, default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    account: Mapped[Account | None] = relationship(lazy="raise_on_sql")

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.kind} {self.state}>"
