"""Whether an account lets us do one thing in one region."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText, UtcDateTime, enum_column
from app.database import Base
from app.models.types import PermissionResult


class RegionPermission(Base):
    __tablename__ = "region_permissions"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    region: Mapped[str] = mapped_column(ExactText(32), primary_key=True)
    action: Mapped[str] = mapped_column(ExactText(64), primary_key=True)
    """As IAM spells it: `ec2:DescribeInstances`."""

    result: Mapped[PermissionResult] = mapped_column(enum_column(PermissionResult, "result"))
    aws_code: Mapped[str] = mapped_column(sa.String(128), default="")
    message: Mapped[str] = mapped_column(sa.Text, default="")
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
