"""Exports of the list of instances."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "exports",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("user_id", columns.BigInt(), nullable=False),
        sa.Column("format", _enum("format", "csv", "json_lines", "xlsx"), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("state", _enum("state", "running", "done", "broken"), nullable=False),
        sa.Column("rows_done", columns.BigInt(), nullable=False),
        sa.Column("rows_total", columns.BigInt(), nullable=False),
        sa.Column("bytes_sent", columns.BigInt(), nullable=False),
        sa.Column("started_at", columns.UtcDateTime(), nullable=False),
        sa.Column("reported_at", columns.UtcDateTime(), nullable=False),
        sa.Column("finished_at", columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_exports_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index("ix_exports_user_id_id", "exports", ["user_id", "id"])


def downgrade() -> None:
    op.drop_table("exports")
