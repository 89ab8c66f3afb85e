"""Who this installation is in AWS, as a job last found out; pages show it without asking AWS."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import UtcDateTime, enum_column
from app.database import Base
from app.errors import FaultCode


class AppIdentity(Base):
    __tablename__ = "app_identity"
    __table_args__ = (sa.CheckConstraint("id = 1", name="only_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    account_id: Mapped[str] = mapped_column(sa.String(12), default="")
    """Empty when the installation has no AWS identity: then only access keys can connect an account."""

    arn: Mapped[str] = mapped_column(sa.String(2048), default="")
    partition: Mapped[str] = mapped_column(sa.String(16), default="aws")
    error_code: Mapped[FaultCode | None] = mapped_column(enum_column(FaultCode, "error_code"))
    error_message: Mapped[str] = mapped_column(sa.Text, default="")
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
