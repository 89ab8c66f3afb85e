"""An account that a rule of authorization is restricted to: by which its owner's view of the rules is narrowed."""

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText
from app.database import Base


class AuthorizationRuleAccount(Base):
    __tablename__ = "authorization_rule_accounts"

    rule_id: Mapped[int] = mapped_column(
        sa.ForeignKey("authorization_rules.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    account_id: Mapped[str] = mapped_column(ExactText(12), primary_key=True, index=True)
    """AWS's id, and no foreign key: a rule must not come to cover all accounts because its own were disconnected."""
