"""Named views of the list of instances."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("user_id", columns.BigInt(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("name_key", columns.ExactText(160), nullable=True),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column(
            "shared_with",
            sa.Enum(
                *("client", "admin", "super_admin"),
                name="shared_with",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("deleted_at", columns.UtcDateTime(), nullable=True),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("updated_at", columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_saved_views_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("user_id", "name_key", name=op.f("uq_saved_views_user_id_name_key")),
    )
    op.create_index("ix_saved_views_shared_with", "saved_views", ["shared_with"])
    op.create_table(
        "default_views",
        sa.Column("user_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("view_id", columns.BigInt(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_default_views_user_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["view_id"], ["saved_views.id"], name=op.f("fk_default_views_view_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_default_views")),
    )
    op.create_index("ix_default_views_view_id", "default_views", ["view_id"])


def downgrade() -> None:
    op.drop_table("default_views")
    op.drop_table("saved_views")
