"""Intervals of downtime."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "downtime_logs",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("instance_pk", columns.BigInt(), nullable=True),
        sa.Column("instance_id", columns.ExactText(32), nullable=False),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("started_at", columns.UtcDateTime(), nullable=False),
        sa.Column("ended_at", columns.UtcDateTime(), nullable=True),
        sa.Column(
            "cause",
            sa.Enum(
                "spot_interruption",
                "status_check",
                "host_retirement",
                "stopped",
                "terminated",
                "capacity",
                "unknown",
                name="cause",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("is_planned", sa.Boolean(), nullable=False),
        sa.Column("details", columns.Json(), nullable=False),
        sa.CheckConstraint(
            "ended_at IS NULL OR ended_at >= started_at", name=op.f("ck_downtime_logs_ends_after_start")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_downtime_logs_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["instance_pk"], ["instances.id"], name=op.f("fk_downtime_logs_instance_pk"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_downtime_logs")),
    )
    op.create_index("ix_downtime_logs_account_id_started_at_id", "downtime_logs", ["account_id", "started_at", "id"])
    op.create_index("ix_downtime_logs_instance_pk", "downtime_logs", ["instance_pk"])


def downgrade() -> None:
    op.drop_table("downtime_logs")
