"""Accounts entered as a list, and the accounts that organizations have."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "account_batches",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("user_id", columns.BigInt(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("refused_lines", columns.Json(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_account_batches_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_batches")),
    )
    op.create_index("ix_account_batches_user_id", "account_batches", ["user_id"])
    op.create_table(
        "organization_accounts",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("member_id", columns.ExactText(12), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("state", columns.ExactText(32), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_organization_accounts_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "member_id", name=op.f("pk_organization_accounts")),
    )
    # No foreign key: SQLite could only add it by making the table anew, and a list that is gone leaves nothing wrong.
    op.add_column("accounts", sa.Column("batch_id", columns.BigInt(), nullable=True))
    op.create_index("ix_accounts_batch_id", "accounts", ["batch_id"])


def downgrade() -> None:
    op.drop_index("ix_accounts_batch_id", "accounts")
    op.drop_column("accounts", "batch_id")
    op.drop_table("organization_accounts")
    op.drop_table("account_batches")
