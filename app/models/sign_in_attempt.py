"""Counters of wrong passwords, in the database so that all workers share them and a restart forgets nothing."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import UtcDateTime
from app.database import Base


class SignInAttempt(Base):
    __tablename__ = "sign_in_attempts"

    key_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """SHA-256 of what is counted (an address, or a name at an address): a typed name may be a password."""

    attempts: Mapped[int] = mapped_column(default=0)
    window_started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
