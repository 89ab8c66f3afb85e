"""The inventory, its tags, and how many of each kind there are."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "instances",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("instance_id", columns.ExactText(32), nullable=False),
        sa.Column("instance_type", columns.ExactText(64), nullable=False),
        sa.Column("state", columns.ExactText(32), nullable=False),
        sa.Column("lifecycle", columns.ExactText(64), nullable=False),
        sa.Column(
            "auth_status",
            sa.Enum(
                "authorized", "unauthorized", name="auth_status", native_enum=False, create_constraint=True, length=32
            ),
            nullable=False,
        ),
        sa.Column("auth_reason", sa.String(length=500), nullable=False),
        sa.Column("auth_changed_at", columns.UtcDateTime(), nullable=True),
        sa.Column("auth_changed_by_id", columns.BigInt(), nullable=True),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("availability_zone", columns.ExactText(64), nullable=False),
        sa.Column("availability_zone_id", columns.ExactText(32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("name_key", columns.ExactText(256), nullable=False),
        sa.Column("private_ip", columns.ExactText(45), nullable=False),
        sa.Column("public_ip", columns.ExactText(45), nullable=False),
        sa.Column("vpc_id", columns.ExactText(64), nullable=False),
        sa.Column("subnet_id", columns.ExactText(64), nullable=False),
        sa.Column("image_id", columns.ExactText(64), nullable=False),
        sa.Column("platform", sa.String(length=128), nullable=False),
        sa.Column("usage_operation", columns.ExactText(64), nullable=False),
        sa.Column("launched_at", columns.UtcDateTime(), nullable=True),
        sa.Column("first_launched_at", columns.UtcDateTime(), nullable=True),
        sa.Column("state_changed_at", columns.UtcDateTime(), nullable=True),
        sa.Column("state_reason_code", sa.String(length=128), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column("first_seen_at", columns.UtcDateTime(), nullable=False),
        sa.Column("missing_since", columns.UtcDateTime(), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("instance_metadata", columns.Json(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("updated_at", columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "(state = 'missing') = (missing_since IS NOT NULL)", name=op.f("ck_instances_missing_has_time")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_instances_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["auth_changed_by_id"], ["users.id"], name=op.f("fk_instances_auth_changed_by_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instances")),
        sa.UniqueConstraint("account_id", "instance_id", name=op.f("uq_instances_account_id_instance_id")),
    )
    op.create_index("ix_instances_account_id_name_key_id", "instances", ["account_id", "name_key", "id"])
    op.create_index(
        "ix_instances_kinds",
        "instances",
        ["account_id", "region", "state", "lifecycle", "auth_status", "instance_type"],
    )
    op.create_index("ix_instances_auth_changed_by_id", "instances", ["auth_changed_by_id"])
    op.create_index("ix_instances_auth_status_id", "instances", ["auth_status", "id"])
    op.create_index("ix_instances_first_seen_at_id", "instances", ["first_seen_at", "id"])
    op.create_index("ix_instances_instance_id_id", "instances", ["instance_id", "id"])
    op.create_index("ix_instances_instance_type_id", "instances", ["instance_type", "id"])
    op.create_index("ix_instances_name_key_id", "instances", ["name_key", "id"])
    op.create_index("ix_instances_private_ip", "instances", ["private_ip"])
    op.create_index("ix_instances_public_ip", "instances", ["public_ip"])
    op.create_index("ix_instances_region_id", "instances", ["region", "id"])
    op.create_index("ix_instances_state_id", "instances", ["state", "id"])

    op.create_table(
        "instance_tags",
        sa.Column("instance_pk", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("key", columns.ExactText(128), nullable=False),
        sa.Column("value", columns.ExactText(256), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_pk"], ["instances.id"], name=op.f("fk_instance_tags_instance_pk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_pk", "key", name=op.f("pk_instance_tags")),
    )
    op.create_index("ix_instance_tags_key_value_instance_pk", "instance_tags", ["key", "value", "instance_pk"])
    op.create_index("ix_instance_tags_value_instance_pk", "instance_tags", ["value", "instance_pk"])
    op.create_table(
        "instance_tallies",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("state", columns.ExactText(32), nullable=False),
        sa.Column("lifecycle", columns.ExactText(64), nullable=False),
        sa.Column(
            "auth_status",
            sa.Enum(
                "authorized",
                "unauthorized",
                name="auth_status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("instance_type", columns.ExactText(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_instance_tallies_count_positive")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_instance_tallies_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "account_id",
            "region",
            "state",
            "lifecycle",
            "auth_status",
            "instance_type",
            name=op.f("pk_instance_tallies"),
        ),
    )


def downgrade() -> None:
    op.drop_table("instance_tallies")
    op.drop_table("instance_tags")
    op.drop_table("instances")
