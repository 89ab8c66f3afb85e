"""The history of an account's status: one row for each change, with who or what caused it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import UtcDateTime, enum_column
from app.database import Base
from app.errors import FaultCode
from app.models.mixins import Identified, utc_now
from app.models.types import AccountHealth, AccountStatus
from app.models.user import User


class AccountEvent(Identified, Base):
    __tablename__ = "account_events"
    __table_args__ = (sa.Index(None, "account_id", "id"),)

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    occurred_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    actor_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """Who did it; null for what a job found out."""

    status: Mapped[AccountStatus] = mapped_column(enum_column(AccountStatus, "status"))
    health: Mapped[AccountHealth] = mapped_column(enum_column(AccountHealth, "health"))
    error_code: Mapped[FaultCode | None] = mapped_column(enum_column(FaultCode, "error_code"))
    message: Mapped[str] = mapped_column(sa.Text)

    actor: Mapped[User | None] = relationship(lazy="raise_on_sql")
