"""Credentials that are tested before they replace those by which an account works."""

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0018"
down_revision = "0017"
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
        "credential_candidates",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.BigInt(), nullable=False),
        sa.Column("connection_method", _enum("connection_method", "iam_role", "access_keys"), nullable=False),
        sa.Column("role_arn", columns.ExactText(600), nullable=True),
        sa.Column("aws_access_key_id", sa.Text(), nullable=True),
        sa.Column("aws_secret_access_key", sa.Text(), nullable=True),
        sa.Column("access_key_hint", sa.String(length=4), nullable=False),
        sa.Column("keys_changed_at", columns.UtcDateTime(), nullable=True),
        sa.Column("refused_at", columns.UtcDateTime(), nullable=True),
        sa.Column("error_code", _enum("error_code", *ERROR_CODES), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("updated_at", columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "connection_method <> 'iam_role' OR role_arn IS NOT NULL",
            name=op.f("ck_credential_candidates_role_has_arn"),
        ),
        sa.CheckConstraint(
            "connection_method <> 'access_keys' OR refused_at IS NOT NULL OR "
            "(aws_access_key_id IS NOT NULL AND aws_secret_access_key IS NOT NULL)",
            name=op.f("ck_credential_candidates_keys_are_present"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_credential_candidates_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential_candidates")),
        sa.UniqueConstraint("account_id", name=op.f("uq_credential_candidates_account_id")),
    )


def downgrade() -> None:
    op.drop_table("credential_candidates")


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)
