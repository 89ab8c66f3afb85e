"""One decision of the spot advisor, to switch or to hold, with what it rested on."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import ExactDecimal, ExactText, Json, UtcDateTime, enum_column
from app.database import Base
from app.models.account import Account
from app.models.mixins import Identified, utc_now
from app.models.types import Decision


class Experiment(Identified, Base):
    __tablename__ = "experiment_logs"
    __table_args__ = (
        sa.Index(None, "account_id", "decided_at", "id"),
        sa.CheckConstraint("length(currency) = 3", name="currency_code"),
    )

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    instance_pk: Mapped[int | None] = mapped_column(sa.ForeignKey("instances.id", ondelete="SET NULL"), index=True)
    """The instance, while it exists here; `instance_id` keeps its EC2 id for afterwards."""

    instance_id: Mapped[str] = mapped_column(ExactText(32))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    decision: Mapped[Decision] = mapped_column(enum_column(Decision, "decision"))
    reason: Mapped[str] = mapped_column(sa.Text)
    inputs: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    hourly_saving: Mapped[Decimal | None] = mapped_column(ExactDecimal(18, 8))
    """Projected, in `currency` an hour; null when no price was found. A HOLD saves nothing."""

    currency: Mapped[str] = mapped_column(sa.String(3), default="USD")

    account: Mapped[Account] = relationship(lazy="raise_on_sql")
