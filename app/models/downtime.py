"""An interval during which an instance that should have run did not."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import ExactText, Json, UtcDateTime, enum_column
from app.database import Base
from app.models.account import Account
from app.models.mixins import Identified
from app.models.types import DowntimeCause


class Downtime(Identified, Base):
    __tablename__ = "downtime_logs"
    __table_args__ = (
        sa.Index(None, "account_id", "started_at", "id"),
        sa.CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="ends_after_start"),
    )

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    instance_pk: Mapped[int | None] = mapped_column(sa.ForeignKey("instances.id", ondelete="SET NULL"), index=True)
    instance_id: Mapped[str] = mapped_column(ExactText(32))
    region: Mapped[str] = mapped_column(ExactText(32))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Null while it lasts. The interval is [started_at, ended_at)."""

    cause: Mapped[DowntimeCause] = mapped_column(enum_column(DowntimeCause, "cause"), default=DowntimeCause.UNKNOWN)
    is_planned: Mapped[bool] = mapped_column(default=False)
    details: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)

    account: Mapped[Account] = relationship(lazy="raise_on_sql")
