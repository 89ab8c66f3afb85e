"""An account of somebody's organization, as AWS last listed it; most are connected nowhere."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText
from app.database import Base


class OrganizationAccount(Base):
    __tablename__ = "organization_accounts"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    """`accounts.id` of the account through which it was listed."""

    member_id: Mapped[str] = mapped_column(ExactText(12), primary_key=True)
    """AWS's id of the listed account."""

    name: Mapped[str] = mapped_column(sa.String(128))
    state: Mapped[str] = mapped_column(ExactText(32))
    """AWS's word: ACTIVE, SUSPENDED, PENDING_CLOSURE, or another."""
