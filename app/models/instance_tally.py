"""How many instances of one kind an account has: what choices and dashboards count from.

Kept by whoever changes instances, in the same transaction (services/instances/tallies.py): counting the rows
themselves takes longer the more there are. Types are counted apart, for there are hundreds: multiplied by regions and
lifecycles the counts would be as many as the instances.
"""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText, enum_column
from app.database import Base
from app.models.types import AuthStatus


class InstanceTally(Base):
    __tablename__ = "instance_tallies"
    __table_args__ = (
        sa.CheckConstraint("count > 0", name="count_positive"),
        # What everybody's counts are summed from, in the order in which they are grouped, without the rows.
        sa.Index("ix_instance_tallies_kinds", "region", "state", "lifecycle", "auth_status", "count"),
    )

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    region: Mapped[str] = mapped_column(ExactText(32), primary_key=True)
    state: Mapped[str] = mapped_column(ExactText(32), primary_key=True)
    lifecycle: Mapped[str] = mapped_column(ExactText(64), primary_key=True)
    auth_status: Mapped[AuthStatus] = mapped_column(enum_column(AuthStatus, "auth_status"), primary_key=True)
    count: Mapped[int]
