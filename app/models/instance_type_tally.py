"""How many instances of each type an account has in each state; see `instance_tally`."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText
from app.database import Base


class InstanceTypeTally(Base):
    __tablename__ = "instance_type_tallies"
    __table_args__ = (
        sa.CheckConstraint("count > 0", name="count_positive"),
        # As beside it.
        sa.Index("ix_instance_type_tallies_kinds", "state", "instance_type", "count"),
    )

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    region: Mapped[str] = mapped_column(ExactText(32), primary_key=True)
    state: Mapped[str] = mapped_column(ExactText(32), primary_key=True)
    instance_type: Mapped[str] = mapped_column(ExactText(64), primary_key=True)
    count: Mapped[int]
