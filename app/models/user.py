"""A person who signs in."""

from datetime import datetime

import sqlalchemy as sa
from flask_login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText, UtcDateTime, enum_column
from app.database import Base
from app.models.mixins import Identified, Timestamped, utc_now
from app.models.types import Role


class User(UserMixin, Identified, Timestamped, Base):  # type: ignore[misc]
    __tablename__ = "users"
    __table_args__ = (
        sa.CheckConstraint("username = lower(username) AND username <> ''", name="username_lower"),
        sa.CheckConstraint("email = lower(email) AND email <> ''", name="email_lower"),
    )

    username: Mapped[str] = mapped_column(ExactText(64), unique=True)
    """Lower case; what one signs in with (or with the e-mail address)."""

    email: Mapped[str] = mapped_column(ExactText(254), unique=True)
    password_hash: Mapped[str] = mapped_column(sa.String(255))
    role: Mapped[Role] = mapped_column(enum_column(Role, "role"), default=Role.CLIENT)
    is_enabled: Mapped[bool] = mapped_column(default=True)
    time_zone: Mapped[str] = mapped_column(sa.String(64), default="UTC")
    """IANA name of the zone in which times are shown to this person."""

    password_changed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    password_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Set for an initial password made by somebody else: it must be changed at first sign-in, before then."""

    changes_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until when they have seen what changed about their instances, as they said; null for who never did."""

    last_signed_in_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def is_active(self) -> bool:
        """Flask-Login's word for `is_enabled`."""
        return self.is_enabled

    def can(self, role: Role) -> bool:
        """Whether the user's role includes the given one."""
        return self.role.includes(role)

    def __repr__(self) -> str:
        return f"<User {self.id} {self.username} {self.role}>"
