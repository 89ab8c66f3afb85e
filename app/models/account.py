"""An AWS account that somebody connects, with how we reach it and how that goes."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.columns import BigInt, ExactText, Json, UtcDateTime, enum_column
from app.database import Base
from app.errors import FaultCode
from app.models.mixins import Identified, Timestamped, utc_now
from app.models.sealed_keys import SealedKeys
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod
from app.models.user import User

#: A user's long-term keys are to be replaced after so long.
KEYS_ARE_OLD_AFTER = timedelta(days=90)

#: `account_id` with every digit taken out: empty exactly when it held nothing but digits, on all three databases.
#: (By its length, because to MariaDB a space equals the empty text.)
_WITHOUT_DIGITS = "account_id"
for _digit in "0123456789":
    _WITHOUT_DIGITS = f"replace({_WITHOUT_DIGITS}, '{_digit}', '')"


class Account(Identified, Timestamped, SealedKeys, Base):
    __tablename__ = "accounts"
    __table_args__ = (
        sa.UniqueConstraint("user_id", "account_id"),
        sa.CheckConstraint(f"length(account_id) = 12 AND length({_WITHOUT_DIGITS}) = 0", name="account_id_digits"),
        sa.CheckConstraint(
            "verified_account_id IS NULL OR verified_account_id = account_id", name="verified_is_account"
        ),
        sa.CheckConstraint(
            "status NOT IN ('connected', 'active') OR verified_account_id IS NOT NULL",
            name="working_is_verified",
        ),
        sa.CheckConstraint(
            "connection_method <> 'iam_role' OR status NOT IN ('connected', 'active') OR role_arn IS NOT NULL",
            name="role_has_arn",
        ),
        sa.CheckConstraint(
            "connection_method <> 'access_keys' OR "
            "(aws_access_key_id IS NOT NULL AND aws_secret_access_key IS NOT NULL)",
            name="keys_are_present",
        ),
        sa.CheckConstraint("length(external_id) >= 32", name="external_id_length"),
        # An index, for SQLite cannot add a constraint to a table that is there.
        sa.Index(None, "event_token_hash", unique=True),
    )

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="RESTRICT"), index=True)
    batch_id: Mapped[int | None] = mapped_column(BigInt, index=True)
    """The list with which it was entered (`account_batches`), if any."""

    account_id: Mapped[str] = mapped_column(ExactText(12), index=True)
    """AWS's id: twelve digits, as text because zeros may lead."""

    verified_account_id: Mapped[str | None] = mapped_column(ExactText(12), unique=True)
    """The same id once its owner has proved access: an account is connected at most once in an installation,
    but a mere claim keeps nobody else out."""

    account_name: Mapped[str] = mapped_column(sa.String(128))
    connection_method: Mapped[ConnectionMethod] = mapped_column(enum_column(ConnectionMethod, "connection_method"))
    status: Mapped[AccountStatus] = mapped_column(
        enum_column(AccountStatus, "status"), default=AccountStatus.PENDING, index=True
    )
    health: Mapped[AccountHealth] = mapped_column(enum_column(AccountHealth, "health"), default=AccountHealth.UNKNOWN)

    role_arn: Mapped[str | None] = mapped_column(ExactText(600))
    external_id: Mapped[str] = mapped_column(ExactText(64), unique=True)
    """Ours, 128 random bits, made once and never edited: what ties the customer's role to this row alone."""

    region: Mapped[str] = mapped_column(sa.String(32), default="us-east-1")
    """The home region: where STS and DescribeRegions are asked."""

    partition: Mapped[str] = mapped_column(sa.String(16), default="aws")
    account_metadata: Mapped[dict[str, Any]] = mapped_column(Json, default=dict)
    """What verifying told us (the caller's ARN), and what its owner chose to allow (services/accounts/grants.py)."""

    error_code: Mapped[FaultCode | None] = mapped_column(enum_column(FaultCode, "error_code"))
    error_message: Mapped[str] = mapped_column(sa.Text, default="")
    """AWS's own words; ours and the remedy follow from `error_code`."""

    refusals: Mapped[int] = mapped_column(default=0)
    """How many times in a row AWS refused our identity; a working account fails at the third."""

    stumbles: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many times in a row we did not get through, other than by having our identity refused."""

    version: Mapped[int] = mapped_column(default=1)
    """Counts status changes; each is a compare-and-set on (id, status, version)."""

    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_good_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """End of the last discovery that read at least one region."""

    next_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    baseline_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the first complete discovery authorized what it found; later finds are unauthorized."""

    instance_count: Mapped[int] = mapped_column(default=0)
    """Instances that are not missing; kept with the tallies (services/instances/tallies.py)."""

    event_token_hash: Mapped[str | None] = mapped_column(ExactText(64))
    """SHA-256 (hex) of the secret that EventBridge sends with each event; null where events are off."""

    event_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the last event came."""

    permissions_checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When `region_permissions` was last brought up to date."""

    regions_read: Mapped[int] = mapped_column(default=0)
    regions_enabled: Mapped[int] = mapped_column(default=0)

    user: Mapped[User] = relationship(lazy="raise_on_sql")

    @property
    def is_working(self) -> bool:
        return self.status in {AccountStatus.CONNECTED, AccountStatus.ACTIVE}

    @property
    def has_old_keys(self) -> bool:
        """Whether its keys were entered so long ago that they should be replaced."""
        return self.keys_changed_at is not None and utc_now() - self.keys_changed_at >= KEYS_ARE_OLD_AFTER

    def __repr__(self) -> str:
        return f"<Account {self.id} {self.account_id} {self.status}>"
