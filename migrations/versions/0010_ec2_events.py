"""Events from EventBridge."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ec2_events",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("event_id", columns.ExactText(64), nullable=False),
        sa.Column("detail_type", columns.ExactText(128), nullable=False),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("instance_id", columns.ExactText(32), nullable=False),
        sa.Column("occurred_at", columns.UtcDateTime(), nullable=False),
        sa.Column("received_at", columns.UtcDateTime(), nullable=False),
        sa.Column(
            "outcome",
            sa.Enum(
                *("applied", "unchanged", "stale", "unknown_instance", "ignored"),
                name="outcome",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("payload", columns.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_ec2_events_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ec2_events")),
        sa.UniqueConstraint("account_id", "event_id", name=op.f("uq_ec2_events_account_id_event_id")),
    )
    op.create_index(
        "ix_ec2_events_account_id_instance_id_occurred_at", "ec2_events", ["account_id", "instance_id", "occurred_at"]
    )
    op.add_column("accounts", sa.Column("event_token_hash", columns.ExactText(64), nullable=True))
    op.add_column("accounts", sa.Column("event_at", columns.UtcDateTime(), nullable=True))
    op.create_index("ix_accounts_event_token_hash", "accounts", ["event_token_hash"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_accounts_event_token_hash", "accounts")
    op.drop_column("accounts", "event_at")
    op.drop_column("accounts", "event_token_hash")
    op.drop_table("ec2_events")
