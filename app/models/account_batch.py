"""A list of accounts that somebody entered at once."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import Json, UtcDateTime
from app.database import Base
from app.models.mixins import Identified, utc_now


class AccountBatch(Identified, Base):
    __tablename__ = "account_batches"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    refused_lines: Mapped[list[dict[str, Any]]] = mapped_column(Json, default=list)
    """What was not entered: `number`, `text` and `reason` of each line, so that nothing is lost."""

    def __repr__(self) -> str:
        return f"<AccountBatch {self.id}>"
