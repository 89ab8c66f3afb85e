"""A signed-in browser, revocable at the server; the cookie carries only a random token, kept here as a hash."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import UtcDateTime
from app.database import Base
from app.models.mixins import Identified, utc_now
from app.models.user import User


class UserSession(Identified, Base):
    __tablename__ = "user_sessions"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    """SHA-256 of the token, in hex; the token has 256 random bits, so no salt is needed."""

    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    """To the minute: written at most once a minute, apart from the request's own transaction."""

    confirmed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    """When the password was last typed; dangerous acts ask for it again after 15 minutes."""

    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ip_address: Mapped[str] = mapped_column(sa.String(45), default="")
    user_agent: Mapped[str] = mapped_column(sa.String(255), default="")

    user: Mapped[User] = relationship(lazy="raise_on_sql")
