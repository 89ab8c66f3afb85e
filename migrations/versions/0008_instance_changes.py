"""The history of instances, the hash of their bytes, and types counted apart."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

AUTH_STATUS = ("authorized", "unauthorized")


def upgrade() -> None:
    op.create_table(
        "instance_changes",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("instance_pk", columns.BigInt(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                *("appeared", "changed", "vanished", "returned"),
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("field", columns.ExactText(64), nullable=False),
        sa.Column("before", columns.Json(), nullable=True),
        sa.Column("after", columns.Json(), nullable=True),
        sa.Column("seen_at", columns.UtcDateTime(), nullable=False),
        sa.Column("happened_at", columns.UtcDateTime(), nullable=True),
        sa.Column("run_id", columns.BigInt(), nullable=True),
        sa.Column("event_pk", columns.BigInt(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_instance_changes_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["instance_pk"], ["instances.id"], name=op.f("fk_instance_changes_instance_pk"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance_changes")),
    )
    op.create_index("ix_instance_changes_account_id_id", "instance_changes", ["account_id", "id"])
    op.create_index("ix_instance_changes_instance_pk_id", "instance_changes", ["instance_pk", "id"])
    op.add_column("instances", sa.Column("raw_hash", columns.ExactText(32), nullable=False, server_default=""))
    op.create_index("ix_instances_readings", "instances", ["account_id", "instance_id", "raw_hash"])
    op.add_column("region_scans", sa.Column("rehashed_at", columns.UtcDateTime(), nullable=True))

    op.drop_table("instance_tallies")
    _create_tallies()
    op.create_table(
        "instance_type_tallies",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("state", columns.ExactText(32), nullable=False),
        sa.Column("instance_type", columns.ExactText(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_instance_type_tallies_count_positive")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_instance_type_tallies_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(
            "account_id", "region", "state", "instance_type", name=op.f("pk_instance_type_tallies")
        ),
    )
    _count("instance_tallies", "account_id", "region", "state", "lifecycle", "auth_status")
    _count("instance_type_tallies", "account_id", "region", "state", "instance_type")


def downgrade() -> None:
    op.drop_table("instance_type_tallies")
    op.drop_table("instance_tallies")
    _create_tallies(sa.Column("instance_type", columns.ExactText(64), nullable=False))
    _count("instance_tallies", "account_id", "region", "state", "lifecycle", "auth_status", "instance_type")
    op.drop_column("region_scans", "rehashed_at")
    op.drop_index("ix_instances_readings", "instances")
    op.drop_column("instances", "raw_hash")
    op.drop_table("instance_changes")


def _create_tallies(*more: sa.Column) -> None:
    op.create_table(
        "instance_tallies",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("state", columns.ExactText(32), nullable=False),
        sa.Column("lifecycle", columns.ExactText(64), nullable=False),
        sa.Column(
            "auth_status",
            sa.Enum(*AUTH_STATUS, name="auth_status", native_enum=False, create_constraint=True, length=32),
            nullable=False,
        ),
        *more,
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
            *(column.name for column in more),
            name=op.f("pk_instance_tallies"),
        ),
    )


def _count(table: str, *names: str) -> None:
    """Fill a table of tallies from the instances there are."""
    listed = [sa.column(name) for name in names]
    counted = sa.select(*listed, sa.func.count()).select_from(sa.table("instances")).group_by(*listed)
    target = sa.table(table, *(sa.column(name) for name in (*names, "count")))
    op.execute(sa.insert(target).from_select([*names, "count"], counted))
