"""Sort instances by their last start; tags are asked for by key."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_instances_launched_at_id", "instances", ["launched_at", "id"])
    op.drop_index("ix_instance_tags_value_instance_pk", "instance_tags")


def downgrade() -> None:
    op.create_index("ix_instance_tags_value_instance_pk", "instance_tags", ["value", "instance_pk"])
    op.drop_index("ix_instances_launched_at_id", "instances")
