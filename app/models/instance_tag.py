"""One tag of one instance: the side table that finds instances by tag (JSON scans take a thousand times longer)."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText
from app.database import Base


class InstanceTag(Base):
    __tablename__ = "instance_tags"
    __table_args__ = (sa.Index(None, "key", "value", "instance_pk"),)

    instance_pk: Mapped[int] = mapped_column(
        sa.ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    """`instances.id`; not named instance_id, which is EC2's id everywhere."""

    key: Mapped[str] = mapped_column(ExactText(128), primary_key=True)
    value: Mapped[str] = mapped_column(ExactText(256))
