"""Other credentials for an account that works: tested first, while the account goes on with those that it has."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.columns import ExactText, UtcDateTime, enum_column
from app.database import Base
from app.errors import FaultCode
from app.models.mixins import Identified, Timestamped
from app.models.sealed_keys import SealedKeys
from app.models.types import ConnectionMethod


class CredentialCandidate(Identified, Timestamped, SealedKeys, Base):
    __tablename__ = "credential_candidates"
    __table_args__ = (
        sa.CheckConstraint("connection_method <> 'iam_role' OR role_arn IS NOT NULL", name="role_has_arn"),
        sa.CheckConstraint(
            "connection_method <> 'access_keys' OR refused_at IS NOT NULL OR "
            "(aws_access_key_id IS NOT NULL AND aws_secret_access_key IS NOT NULL)",
            name="keys_are_present",
        ),
    )

    account_id: Mapped[int] = mapped_column(sa.ForeignKey("accounts.id", ondelete="CASCADE"), unique=True)
    connection_method: Mapped[ConnectionMethod] = mapped_column(enum_column(ConnectionMethod, "connection_method"))
    role_arn: Mapped[str | None] = mapped_column(ExactText(600))
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the test failed; keys are erased then, and the row stays to say why until its owner has seen it."""

    error_code: Mapped[FaultCode | None] = mapped_column(enum_column(FaultCode, "error_code"))
    error_message: Mapped[str] = mapped_column(sa.Text, default="")

    def __repr__(self) -> str:
        return f"<CredentialCandidate {self.id} of {self.account_id}>"
