"""One thing that was done to a rule of authorization: by whom, when, and what the rule was afterwards."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import Json, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified
from app.models.types import RuleAction


class AuthorizationRuleEdit(Identified, Base):
    __tablename__ = "authorization_rule_edits"
    __table_args__ = (sa.Index(None, "rule_id", "id"),)

    rule_id: Mapped[int] = mapped_column(sa.ForeignKey("authorization_rules.id", ondelete="CASCADE"))
    revision: Mapped[int]
    action: Mapped[RuleAction] = mapped_column(enum_column(RuleAction, "action"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id", ondelete="SET NULL"), index=True)
    username: Mapped[str] = mapped_column(sa.String(64), default="")
    """As it was then; empty where the calendar did it."""

    content: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """The rule afterwards, in the shape of services/rules/content.py."""
