"""The jobs ledger."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: As they were when this revision was written.
ERROR_CODES = (
    "access_denied",
    "external_id_not_enforced",
    "account_mismatch",
    "account_taken",
    "invalid_access_key",
    "bad_secret_key",
    "expired_credentials",
    "root_credentials",
    "temporary_credentials",
    "unreadable_secret",
    "denied_iam",
    "denied_scp",
    "not_opted_in",
    "throttled",
    "malformed",
    "unreachable",
    "aws_error",
    "clock_skew",
    "no_app_identity",
    "lease_lost",
    "internal",
)


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "verify_account",
                "discover_account",
                "check_identity",
                "prune",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("account_id", columns.BigInt(), nullable=True),
        sa.Column("requested_by_id", columns.BigInt(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "succeeded",
                "failed",
                "canceled",
                name="state",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("active_key", sa.String(length=64), nullable=True),
        sa.Column("due_at", columns.UtcDateTime(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=True),
        sa.Column("lease_until", columns.UtcDateTime(), nullable=True),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("progress_text", sa.String(length=200), nullable=False),
        sa.Column("summary", columns.Json(), nullable=False),
        sa.Column(
            "error_code",
            sa.Enum(
                *ERROR_CODES,
                name="error_code",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("started_at", columns.UtcDateTime(), nullable=True),
        sa.Column("finished_at", columns.UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "state <> 'running' OR (token IS NOT NULL AND lease_until IS NOT NULL)",
            name=op.f("ck_runs_running_is_held"),
        ),
        sa.CheckConstraint("progress_done >= 0 AND progress_total >= 0", name=op.f("ck_runs_progress_not_negative")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_runs_account_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["requested_by_id"], ["users.id"], name=op.f("fk_runs_requested_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("active_key", name=op.f("uq_runs_active_key")),
    )
    op.create_index("ix_runs_account_id_id", "runs", ["account_id", "id"])
    op.create_index("ix_runs_requested_by_id", "runs", ["requested_by_id"])
    op.create_index("ix_runs_state_due_at", "runs", ["state", "due_at"])


def downgrade() -> None:
    op.drop_table("runs")
