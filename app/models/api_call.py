"""How many requests were sent to AWS for an account in one hour: what its budget of calls is held against."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText, UtcDateTime
from app.database import Base


class ApiCall(Base):
    __tablename__ = "api_calls"
    __table_args__ = (sa.CheckConstraint("count > 0", name="count_positive"),)

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    hour_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    """The beginning of the hour, UTC."""

    region: Mapped[str] = mapped_column(ExactText(32), primary_key=True)
    action: Mapped[str] = mapped_column(ExactText(64), primary_key=True)
    count: Mapped[int]
    """Requests sent, repeated attempts included: that is what AWS counts."""
