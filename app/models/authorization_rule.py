"""A standing decision of an admin: which instances are authorized, for whom, why and until when."""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import Json, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified, Timestamped
from app.models.types import RuleState


class AuthorizationRule(Identified, Timestamped, Base):
    __tablename__ = "authorization_rules"
    __table_args__ = (
        sa.CheckConstraint("name <> ''", name="name_not_empty"),
        sa.CheckConstraint("applied_revision <= revision", name="applied_is_past"),
        sa.CheckConstraint("state <> 'expired' OR expires_on IS NOT NULL", name="expired_has_date"),
        sa.Index(None, "state", "expires_on"),
    )

    name: Mapped[str] = mapped_column(sa.String(128))
    state: Mapped[RuleState] = mapped_column(enum_column(RuleState, "state"), default=RuleState.ACTIVE)
    conditions: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """`[{"field": "tag", "values": ["team=build", "team=ci"]}, ...]`: all must hold, any of the values will do."""

    covers_all_accounts: Mapped[bool] = mapped_column(default=False)
    """Whether no condition names accounts; else `authorization_rule_accounts` has the same ids as the condition."""

    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    """Who answers for what it allows, where that is a user of this installation."""

    owner_name: Mapped[str] = mapped_column(sa.String(128))
    owner_contact: Mapped[str] = mapped_column(sa.String(254), default="")
    note: Mapped[str] = mapped_column(sa.String(500), default="")
    expires_on: Mapped[date | None] = mapped_column(sa.Date)
    """The last day (UTC) on which it allows anything."""

    warned_for: Mapped[date | None] = mapped_column(sa.Date)
    """The `expires_on` of whose coming the log has told."""

    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was noticed to have expired, or was removed."""

    revision: Mapped[int] = mapped_column(default=1)
    """Counts what was done to it that may change what it allows."""

    applied_revision: Mapped[int] = mapped_column(default=0)
    """The revision by which every instance was decided last; lower than `revision` while that is still to be done."""

    def __repr__(self) -> str:
        return f"<AuthorizationRule {self.id} {self.name!r} {self.state}>"
