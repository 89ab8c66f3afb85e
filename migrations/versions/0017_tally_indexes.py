"""Sums of the counts of instances over all accounts, from indexes alone."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_instance_tallies_kinds", "instance_tallies", ["region", "state", "lifecycle", "auth_status", "count"]
    )
    op.create_index("ix_instance_type_tallies_kinds", "instance_type_tallies", ["state", "instance_type", "count"])


def downgrade() -> None:
    op.drop_index("ix_instance_type_tallies_kinds", "instance_type_tallies")
    op.drop_index("ix_instance_tallies_kinds", "instance_tallies")
