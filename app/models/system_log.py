"""One line of the application's own log, or one audited act."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import BigInt, Json, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified, utc_now
from app.models.types import LogLevel


class SystemLog(Identified, Base):
    __tablename__ = "system_logs"
    __table_args__ = (
        sa.Index(None, "logged_at", "id"),
        sa.Index(None, "component", "id"),
        sa.Index(None, "level", "id"),
        sa.Index(None, "account_id", "id"),
        sa.Index(None, "user_id", "id"),
        sa.Index(None, "request_id"),
    )

    logged_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    component: Mapped[str] = mapped_column(sa.String(64))
    """Which part spoke: `audit` for acts of people, else a logger's name (`discovery`, `runs`, `web`)."""

    level: Mapped[LogLevel] = mapped_column(enum_column(LogLevel, "level"))
    message: Mapped[str] = mapped_column(sa.Text)
    details: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    user_id: Mapped[int | None] = mapped_column(BigInt)
    """Who, as `users.id`; no foreign key, so that the line outlives the person's row."""

    account_id: Mapped[int | None] = mapped_column(BigInt)
    """Which account, as `accounts.id`; no foreign key, for the same reason."""

    request_id: Mapped[str] = mapped_column(sa.String(36), default="")
