"""Who is working on an account: at most one run at a time, whatever its kind."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import UtcDateTime
from app.database import Base


class AccountLock(Base):
    __tablename__ = "account_locks"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    token: Mapped[str] = mapped_column(sa.String(32))
    """The token of the run that holds it."""

    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)
