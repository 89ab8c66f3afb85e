"""AWS accounts, the history of their status, their regions, and who we are in AWS."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

#: As they were when this revision was written.
ERROR_CODES = (
    "access_denied",
    "external_id_not_enforced",
    "account_mismatch",
    "account_taken",
    "invalid_access_key",
    "bad_secret_key",
    "expired_credentials",
    "root_credentials",
    "temporary_credentials",
    "unreadable_secret",
    "denied_iam",
    "denied_scp",
    "not_opted_in",
    "throttled",
    "malformed",
    "unreachable",
    "aws_error",
    "clock_skew",
    "no_app_identity",
    "lease_lost",
    "internal",
)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("user_id", columns.BigInt(), nullable=False),
        sa.Column("account_id", columns.ExactText(12), nullable=False),
        sa.Column("verified_account_id", columns.ExactText(12), nullable=True),
        sa.Column("account_name", sa.String(length=128), nullable=False),
        sa.Column(
            "connection_method",
            sa.Enum(
                "iam_role",
                "access_keys",
                name="connection_method",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "connected",
                "active",
                "failed",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "health",
            sa.Enum(
                "unknown",
                "ok",
                "partial",
                "unavailable",
                "refused",
                name="health",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("role_arn", columns.ExactText(600), nullable=True),
        sa.Column("external_id", columns.ExactText(64), nullable=False),
        sa.Column("aws_access_key_id", sa.Text(), nullable=True),
        sa.Column("aws_secret_access_key", sa.Text(), nullable=True),
        sa.Column("access_key_hint", sa.String(length=4), nullable=False),
        sa.Column("keys_changed_at", columns.UtcDateTime(), nullable=True),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("partition", sa.String(length=16), nullable=False),
        sa.Column("account_metadata", columns.Json(), nullable=False),
        sa.Column(
            "error_code",
            sa.Enum(
                *ERROR_CODES,
                name="error_code",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verified_at", columns.UtcDateTime(), nullable=True),
        sa.Column("last_tried_at", columns.UtcDateTime(), nullable=True),
        sa.Column("last_good_at", columns.UtcDateTime(), nullable=True),
        sa.Column("next_due_at", columns.UtcDateTime(), nullable=True),
        sa.Column("baseline_at", columns.UtcDateTime(), nullable=True),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("regions_read", sa.Integer(), nullable=False),
        sa.Column("regions_enabled", sa.Integer(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("updated_at", columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "connection_method <> 'access_keys' OR (aws_access_key_id IS NOT NULL AND aws_secret_access_key IS NOT NULL)",
            name=op.f("ck_accounts_keys_are_present"),
        ),
        sa.CheckConstraint(
            "connection_method <> 'iam_role' OR status NOT IN ('connected', 'active') OR role_arn IS NOT NULL",
            name=op.f("ck_accounts_role_has_arn"),
        ),
        sa.CheckConstraint(
            "length(account_id) = 12 AND length(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(account_id, '0', ''), '1', ''), '2', ''), '3', ''), '4', ''), '5', ''), '6', ''), '7', ''), '8', ''), '9', '')) = 0",
            name=op.f("ck_accounts_account_id_digits"),
        ),
        sa.CheckConstraint(
            "status NOT IN ('connected', 'active') OR verified_account_id IS NOT NULL",
            name=op.f("ck_accounts_working_is_verified"),
        ),
        sa.CheckConstraint("length(external_id) >= 32", name=op.f("ck_accounts_external_id_length")),
        sa.CheckConstraint(
            "verified_account_id IS NULL OR verified_account_id = account_id",
            name=op.f("ck_accounts_verified_is_account"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("external_id", name=op.f("uq_accounts_external_id")),
        sa.UniqueConstraint("user_id", "account_id", name=op.f("uq_accounts_user_id_account_id")),
        sa.UniqueConstraint("verified_account_id", name=op.f("uq_accounts_verified_account_id")),
    )
    op.create_index("ix_accounts_account_id", "accounts", ["account_id"])
    op.create_index("ix_accounts_next_due_at", "accounts", ["next_due_at"])
    op.create_index("ix_accounts_status", "accounts", ["status"])
    op.create_index("ix_accounts_user_id", "accounts", ["user_id"])

    op.create_table(
        "account_events",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("occurred_at", columns.UtcDateTime(), nullable=False),
        sa.Column("actor_id", columns.BigInt(), nullable=True),
        sa.Column(
            "status",
            sa.Enum(
                "pending",
                "connected",
                "active",
                "failed",
                name="status",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "health",
            sa.Enum(
                "unknown",
                "ok",
                "partial",
                "unavailable",
                "refused",
                name="health",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column(
            "error_code",
            sa.Enum(
                *ERROR_CODES,
                name="error_code",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("message", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_events_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["users.id"], name=op.f("fk_account_events_actor_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_events")),
    )
    op.create_index("ix_account_events_account_id_id", "account_events", ["account_id", "id"])
    op.create_index("ix_account_events_actor_id", "account_events", ["actor_id"])

    op.create_table(
        "account_locks",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("lease_until", columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_account_locks_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_locks")),
    )

    op.create_table(
        "region_scans",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column(
            "result",
            sa.Enum(
                "read",
                "denied_iam",
                "denied_scp",
                "not_opted_in",
                "throttled",
                "unreachable",
                "malformed",
                "error",
                name="result",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("since_at", columns.UtcDateTime(), nullable=False),
        sa.Column("last_tried_at", columns.UtcDateTime(), nullable=True),
        sa.Column("last_read_at", columns.UtcDateTime(), nullable=True),
        sa.Column("aws_code", sa.String(length=128), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_region_scans_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region_scans")),
        sa.UniqueConstraint("account_id", "region", name=op.f("uq_region_scans_account_id_region")),
    )

    op.create_table(
        "app_identity",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account_id", sa.String(length=12), nullable=False),
        sa.Column("arn", sa.String(length=2048), nullable=False),
        sa.Column("partition", sa.String(length=16), nullable=False),
        sa.Column(
            "error_code",
            sa.Enum(
                *ERROR_CODES,
                name="error_code",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("checked_at", columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_app_identity_only_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_identity")),
    )


def downgrade() -> None:
    op.drop_table("app_identity")
    op.drop_table("region_scans")
    op.drop_table("account_locks")
    op.drop_table("account_events")
    op.drop_table("accounts")
