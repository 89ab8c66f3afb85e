"""The application's log."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "system_logs",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("logged_at", columns.UtcDateTime(), nullable=False),
        sa.Column("component", sa.String(length=64), nullable=False),
        sa.Column(
            "level",
            sa.Enum(
                "debug", "info", "warning", "error", name="level", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("details", columns.Json(), nullable=False),
        sa.Column("user_id", columns.BigInt(), nullable=True),
        sa.Column("account_id", columns.BigInt(), nullable=True),
        sa.Column("request_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_system_logs")),
    )
    op.create_index("ix_system_logs_account_id_id", "system_logs", ["account_id", "id"])
    op.create_index("ix_system_logs_component_id", "system_logs", ["component", "id"])
    op.create_index("ix_system_logs_level_id", "system_logs", ["level", "id"])
    op.create_index("ix_system_logs_logged_at_id", "system_logs", ["logged_at", "id"])
    op.create_index("ix_system_logs_request_id", "system_logs", ["request_id"])
    op.create_index("ix_system_logs_user_id_id", "system_logs", ["user_id", "id"])


def downgrade() -> None:
    op.drop_table("system_logs")
