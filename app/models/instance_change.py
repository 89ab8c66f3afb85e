"""One change of one instance: the history from which its past is told."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import BigInt, ExactText, Json, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified
from app.models.types import ChangeKind

#: What history tells of: columns of `instances`, which the record of a reading has under the same names,
FIELDS = (
    "state",
    "instance_type",
    "lifecycle",
    "name",
    "private_ip",
    "public_ip",
    "image_id",
    "usage_operation",
)
#: names in its metadata,
FACTS = ("IamInstanceProfileArn", "Imds", "OperatedBy", "SecurityGroupIds")
#: and its tags, but for `Name`, which is the field `name`. Nothing else of an instance can be told of the past.
TAGS = "Tags"


class InstanceChange(Identified, Base):
    __tablename__ = "instance_changes"
    __table_args__ = (sa.Index(None, "instance_pk", "id"), sa.Index(None, "account_id", "id"))

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    instance_pk: Mapped[int] = mapped_column(sa.ForeignKey("instances.id", ondelete="CASCADE"))
    kind: Mapped[ChangeKind] = mapped_column(enum_column(ChangeKind, "kind"))
    field: Mapped[str] = mapped_column(ExactText(64), default="")
    """A column of `instances` or a name in its metadata; empty where an instance appeared."""

    before: Mapped[Any] = mapped_column(Json, nullable=True)
    after: Mapped[Any] = mapped_column(Json, nullable=True)
    """Of tags and other maps only the keys that differ."""

    note: Mapped[str | None] = mapped_column(sa.String(500))
    """Why, where somebody or something decided it: of `auth_status` the reason as it stood then."""

    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When we came to know of it."""

    happened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it happened, where AWS says so."""

    run_id: Mapped[int | None] = mapped_column(BigInt)
    """The discovery that found it, as `runs.id`; no foreign key, for runs are forgotten sooner."""

    event_pk: Mapped[int | None] = mapped_column(BigInt)
    """The event that told of it, as `ec2_events.id`; no foreign key, for the same reason."""
