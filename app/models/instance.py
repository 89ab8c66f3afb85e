"""An EC2 instance as AWS last described it, and whether somebody authorized it."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import BigInt, ExactText, Json, UtcDateTime, enum_column
from app.database import Base
from app.models.account import Account
from app.models.mixins import Identified, Timestamped, utc_now
from app.models.types import AuthSource, AuthStatus
from app.models.user import User

#: Our own word for an instance that a complete reading of its region no longer shows.
MISSING = "missing"

#: EC2's word for one that is over, which no instance comes back from.
TERMINATED = "terminated"

#: What an instance that is in one of these does no more, and costs nothing: lists have it, and counts leave it out.
GONE = (MISSING, TERMINATED)


class Instance(Identified, Timestamped, Base):
    __tablename__ = "instances"
    __table_args__ = (
        sa.UniqueConstraint("account_id", "instance_id"),
        sa.CheckConstraint(f"(state = '{MISSING}') = (missing_since IS NOT NULL)", name="missing_has_time"),
        # What the list sorts and pages by, for one account's owner and for everybody's.
        sa.Index(None, "account_id", "name_key", "id"),
        # What lists are filtered and counted by: small enough to be read whole instead of the rows.
        sa.Index("ix_instances_kinds", "account_id", "region", "state", "lifecycle", "auth_status", "instance_type"),
        # What a reading compares with, apart from the rows: they are wide, and nearly all of them stay as they are.
        sa.Index("ix_instances_readings", "account_id", "instance_id", "raw_hash"),
        sa.Index(None, "name_key", "id"),
        sa.Index(None, "instance_id", "id"),
        sa.Index(None, "instance_type", "id"),
        sa.Index(None, "region", "id"),
        sa.Index(None, "state", "id"),
        sa.Index(None, "auth_status", "id"),
        sa.Index(None, "launched_at", "id"),
        sa.Index(None, "first_seen_at", "id"),
        # What a rule allows, account by account.
        sa.Index(None, "auth_rule_id", "auth_source", "account_id", "id"),
        sa.Index(None, "image_id"),
        sa.Index(None, "subnet_id"),
        sa.Index(None, "private_ip"),
        sa.Index(None, "public_ip"),
    )

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"))
    instance_id: Mapped[str] = mapped_column(ExactText(32))
    """EC2's id, `i-...`."""

    instance_type: Mapped[str] = mapped_column(ExactText(64))
    state: Mapped[str] = mapped_column(ExactText(32))
    """EC2's own word (unknown ones are kept), or `missing`."""

    lifecycle: Mapped[str] = mapped_column(ExactText(64))
    """`on-demand`, `spot`, or whatever else EC2 says."""

    auth_status: Mapped[AuthStatus] = mapped_column(enum_column(AuthStatus, "auth_status"))
    auth_source: Mapped[AuthSource] = mapped_column(
        enum_column(AuthSource, "auth_source"), default=AuthSource.NONE, server_default=AuthSource.NONE.value
    )
    """What the status rests on; a person's decision and the baseline stand whatever rules say."""

    auth_rule_id: Mapped[int | None] = mapped_column(BigInt)
    """The rule that allows it or, where the source is NONE, that did until it ended; as `authorization_rules.id`, which
    are never deleted."""

    auth_source_before: Mapped[AuthSource | None] = mapped_column(enum_column(AuthSource, "auth_source_before"))
    """What it rested on before the last decision of a person: what undoing that goes back to."""

    auth_reason: Mapped[str] = mapped_column(sa.String(500), default="")
    auth_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    auth_changed_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)

    region: Mapped[str] = mapped_column(ExactText(32))
    availability_zone: Mapped[str] = mapped_column(ExactText(64), default="")
    availability_zone_id: Mapped[str] = mapped_column(ExactText(32), default="")
    """The zone's physical id (`use1-az4`): zone names differ between accounts."""

    name: Mapped[str] = mapped_column(sa.String(256), default="")
    name_key: Mapped[str] = mapped_column(ExactText(256), default="")
    """The name as it is sorted and searched: case-folded, cut to fit."""

    private_ip: Mapped[str] = mapped_column(ExactText(45), default="")
    public_ip: Mapped[str] = mapped_column(ExactText(45), default="")
    vpc_id: Mapped[str] = mapped_column(ExactText(64), default="")
    subnet_id: Mapped[str] = mapped_column(ExactText(64), default="")
    image_id: Mapped[str] = mapped_column(ExactText(64), default="")
    platform: Mapped[str] = mapped_column(sa.String(128), default="")
    usage_operation: Mapped[str] = mapped_column(ExactText(64), default="")
    launched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Last start; the first launch is `first_launched_at`."""

    first_launched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the primary network interface was attached, which happens once."""

    state_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state_reason_code: Mapped[str] = mapped_column(sa.String(128), default="")
    state_reason: Mapped[str] = mapped_column(sa.Text, default="")
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a complete reading of the region first did not show it."""

    content_hash: Mapped[str] = mapped_column(sa.String(64), default="")
    """Of what is stored, in whatever order AWS listed it: the same content is not written again."""

    raw_hash: Mapped[str] = mapped_column(ExactText(32), default="", server_default="")
    """Of the bytes in which AWS described it, and of the reader's version: the same bytes are not even parsed."""

    instance_metadata: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)

    account: Mapped[Account] = relationship(lazy="raise_on_sql")
    auth_changed_by: Mapped[User | None] = relationship(lazy="raise_on_sql")

    def __repr__(self) -> str:
        return f"<Instance {self.id} {self.instance_id} {self.state}>"
