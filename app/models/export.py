"""An export of the list of instances: who took what away, and how far the sending has come."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import BigInt, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified, utc_now
from app.models.types import ExportFormat, ExportState


class Export(Identified, Base):
    __tablename__ = "exports"
    __table_args__ = (sa.Index(None, "user_id", "id"),)

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    format: Mapped[ExportFormat] = mapped_column(enum_column(ExportFormat, "format"))
    query: Mapped[str] = mapped_column(sa.Text)
    """Filters, order and columns as the list's address has them."""

    state: Mapped[ExportState] = mapped_column(enum_column(ExportState, "state"), default=ExportState.RUNNING)
    rows_done: Mapped[int] = mapped_column(BigInt, default=0)
    rows_total: Mapped[int] = mapped_column(BigInt, default=0)
    """How many there were when it began."""

    bytes_sent: Mapped[int] = mapped_column(BigInt, default=0)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    """When it last said how far it is: long ago and still running means that its process is gone."""

    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
