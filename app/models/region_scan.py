"""One account in one region: what became of the last try to read it, and when it was last read."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified
from app.models.types import RegionResult


class RegionScan(Identified, Base):
    __tablename__ = "region_scans"
    __table_args__ = (sa.UniqueConstraint("account_id", "region"),)

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    region: Mapped[str] = mapped_column(sa.String(32))
    result: Mapped[RegionResult] = mapped_column(enum_column(RegionResult, "result"))
    since_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Since when the result has been this one."""

    last_tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Null while the region has never been asked, as one that is not opted in."""

    last_read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When every page was last read: all that is known of the region's instances is as of this moment."""

    aws_code: Mapped[str] = mapped_column(sa.String(128), default="")
    message: Mapped[str] = mapped_column(sa.Text, default="")
    pages: Mapped[int] = mapped_column(default=0)
    calls: Mapped[int] = mapped_column(default=0)
    instance_count: Mapped[int] = mapped_column(default=0)
    """Instances in the last complete reading."""

    rehashed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When `instances.raw_hash` was last renewed where AWS had changed an instance's bytes and not its content."""
