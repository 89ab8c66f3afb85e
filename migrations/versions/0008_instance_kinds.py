"""An index from which lists of instances are filtered and counted, without reading the rows."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_instances_kinds",
        "instances",
        ["account_id", "region", "state", "lifecycle", "auth_status", "instance_type"],
    )
    op.drop_index("ix_instances_account_id_region", "instances")


def downgrade() -> None:
    op.create_index("ix_instances_account_id_region", "instances", ["account_id", "region"])
    op.drop_index("ix_instances_kinds", "instances")
