"""One event from EventBridge, as it came, and what became of it here."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText, Json, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified
from app.models.types import EventOutcome


class Ec2Event(Identified, Base):
    __tablename__ = "ec2_events"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "event_id"),
        sa.Index(None, "account_id", "instance_id", "occurred_at"),
    )

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(ExactText(64))
    """EventBridge's own: an event may be delivered more than once."""

    detail_type: Mapped[str] = mapped_column(ExactText(128))
    region: Mapped[str] = mapped_column(ExactText(32))
    instance_id: Mapped[str] = mapped_column(ExactText(32), default="")
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """AWS's time, which orders events; they may arrive in any order."""

    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    outcome: Mapped[EventOutcome] = mapped_column(enum_column(EventOutcome, "outcome"))
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
