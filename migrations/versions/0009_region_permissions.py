"""What each region lets us do, the budget of calls, and two more kinds of run."""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KINDS = ("verify_account", "discover_account", "check_identity", "prune")
MORE_KINDS = ("verify_account", "discover_account", "check_permissions", "check_identity", "poll_events", "prune")


def upgrade() -> None:
    op.create_table(
        "region_permissions",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("action", columns.ExactText(64), nullable=False),
        sa.Column(
            "result",
            sa.Enum(
                *("allowed", "denied_iam", "denied_scp", "unknown"),
                name="result",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("aws_code", sa.String(length=128), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("checked_at", columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_region_permissions_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "region", "action", name=op.f("pk_region_permissions")),
    )
    op.create_table(
        "api_calls",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("hour_at", columns.UtcDateTime(), nullable=False),
        sa.Column("region", columns.ExactText(32), nullable=False),
        sa.Column("action", columns.ExactText(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.CheckConstraint("count > 0", name=op.f("ck_api_calls_count_positive")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_api_calls_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "hour_at", "region", "action", name=op.f("pk_api_calls")),
    )
    op.add_column("accounts", sa.Column("stumbles", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("permissions_checked_at", columns.UtcDateTime(), nullable=True))
    _allow_kinds(MORE_KINDS)


def downgrade() -> None:
    runs = sa.table("runs", sa.column("kind"))
    op.execute(sa.delete(runs).where(runs.c.kind.in_(set(MORE_KINDS) - set(KINDS))))
    _allow_kinds(KINDS)
    op.drop_column("accounts", "permissions_checked_at")
    op.drop_column("accounts", "stumbles")
    op.drop_table("api_calls")
    op.drop_table("region_permissions")


def _allow_kinds(kinds: Iterable[str]) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    condition = f"kind IN ({listed})"
    if op.get_context().dialect.name == "sqlite":
        # SQLite keeps a table as the text that made it, and cannot change a CHECK in it. Nothing refers to `runs`.
        connection = op.get_bind()
        made = connection.scalar(sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'runs'"))
        before, _, rest = made.partition("CHECK (kind IN (")
        indexes = connection.scalars(
            sa.text("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'runs' AND sql IS NOT NULL")
        ).all()
        op.execute("ALTER TABLE runs RENAME TO runs_before")
        op.execute(f"{before}CHECK ({condition}){rest.partition('))')[2]}")
        op.execute("INSERT INTO runs SELECT * FROM runs_before")
        op.execute("DROP TABLE runs_before")
        for index in indexes:
            op.execute(index)
        return
    op.drop_constraint(op.f("ck_runs_kind"), "runs", type_="check")
    op.create_check_constraint(op.f("ck_runs_kind"), "runs", condition)
