"""Until when somebody has seen what changed about their instances."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("changes_seen_at", columns.UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "changes_seen_at")
