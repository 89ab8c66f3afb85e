"""The history of decisions."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "experiment_logs",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("instance_pk", columns.BigInt(), nullable=True),
        sa.Column("instance_id", columns.ExactText(32), nullable=False),
        sa.Column("decided_at", columns.UtcDateTime(), nullable=False),
        sa.Column(
            "decision",
            sa.Enum("switch", "hold", name="decision", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("inputs", columns.Json(), nullable=False),
        sa.Column("hourly_saving", columns.ExactDecimal(18, 8), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.CheckConstraint("length(currency) = 3", name=op.f("ck_experiment_logs_currency_code")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_experiment_logs_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["instance_pk"], ["instances.id"], name=op.f("fk_experiment_logs_instance_pk"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiment_logs")),
    )
    op.create_index(
        "ix_experiment_logs_account_id_decided_at_id", "experiment_logs", ["account_id", "decided_at", "id"]
    )
    op.create_index("ix_experiment_logs_instance_pk", "experiment_logs", ["instance_pk"])


def downgrade() -> None:
    op.drop_table("experiment_logs")
