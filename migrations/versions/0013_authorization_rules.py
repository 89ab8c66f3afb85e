"""Rules of authorization, and what each instance's authorization rests on."""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SOURCES = ("baseline", "rule", "person", "none")
STATES = ("active", "paused", "expired", "removed")
ACTIONS = ("created", "edited", "paused", "resumed", "removed", "restored", "expired")
KINDS = ("verify_account", "discover_account", "check_permissions", "check_identity", "poll_events", "prune")
MORE_KINDS = (*KINDS[:-1], "apply_rules", "prune")

#: The reason that the baseline has given so far, by which its instances are known.
BASELINE = "Baseline: found by the first complete discovery"


def upgrade() -> None:
    _create_rules()
    _add_enum("auth_source", SOURCES, default="none")
    _add_enum("auth_source_before", SOURCES)
    op.add_column("instances", sa.Column("auth_rule_id", columns.BigInt(), nullable=True))
    _tell_sources()
    op.create_index(
        "ix_instances_auth_rule_id_auth_source_account_id_id",
        "instances",
        ["auth_rule_id", "auth_source", "account_id", "id"],
    )
    op.create_index("ix_instances_image_id", "instances", ["image_id"])
    op.create_index("ix_instances_subnet_id", "instances", ["subnet_id"])
    op.add_column("instance_changes", sa.Column("note", sa.String(length=500), nullable=True))
    _allow_kinds(MORE_KINDS)


def downgrade() -> None:
    runs = sa.table("runs", sa.column("kind"))
    op.execute(sa.delete(runs).where(runs.c.kind == "apply_rules"))
    _allow_kinds(KINDS)
    op.drop_column("instance_changes", "note")
    op.drop_index("ix_instances_subnet_id", "instances")
    op.drop_index("ix_instances_image_id", "instances")
    op.drop_index("ix_instances_auth_rule_id_auth_source_account_id_id", "instances")
    op.drop_column("instances", "auth_rule_id")
    for name in ("auth_source_before", "auth_source"):
        if op.get_context().dialect.name != "sqlite":
            op.drop_constraint(op.f(f"ck_instances_{name}"), "instances", type_="check")
        op.drop_column("instances", name)
    op.drop_table("authorization_rule_edits")
    op.drop_table("authorization_rule_accounts")
    op.drop_table("authorization_rules")


def _create_rules() -> None:
    op.create_table(
        "authorization_rules",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("state", _enum(STATES, "state"), nullable=False),
        sa.Column("conditions", columns.Json(), nullable=False),
        sa.Column("covers_all_accounts", sa.Boolean(), nullable=False),
        sa.Column("owner_id", columns.BigInt(), nullable=True),
        sa.Column("owner_name", sa.String(length=128), nullable=False),
        sa.Column("owner_contact", sa.String(length=254), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("warned_for", sa.Date(), nullable=True),
        sa.Column("ended_at", columns.UtcDateTime(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("applied_revision", sa.Integer(), nullable=False),
        sa.Column("created_at", columns.UtcDateTime(), nullable=False),
        sa.Column("updated_at", columns.UtcDateTime(), nullable=False),
        sa.CheckConstraint("name <> ''", name=op.f("ck_authorization_rules_name_not_empty")),
        sa.CheckConstraint("applied_revision <= revision", name=op.f("ck_authorization_rules_applied_is_past")),
        sa.CheckConstraint(
            "state <> 'expired' OR expires_on IS NOT NULL", name=op.f("ck_authorization_rules_expired_has_date")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name=op.f("fk_authorization_rules_owner_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorization_rules")),
    )
    op.create_index("ix_authorization_rules_owner_id", "authorization_rules", ["owner_id"])
    op.create_index("ix_authorization_rules_state_expires_on", "authorization_rules", ["state", "expires_on"])
    op.create_table(
        "authorization_rule_accounts",
        sa.Column("rule_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("account_id", columns.ExactText(12), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["authorization_rules.id"],
            name=op.f("fk_authorization_rule_accounts_rule_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("rule_id", "account_id", name=op.f("pk_authorization_rule_accounts")),
    )
    op.create_index("ix_authorization_rule_accounts_account_id", "authorization_rule_accounts", ["account_id"])
    op.create_table(
        "authorization_rule_edits",
        sa.Column("id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("rule_id", columns.BigInt(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("action", _enum(ACTIONS, "action"), nullable=False),
        sa.Column("made_at", columns.UtcDateTime(), nullable=False),
        sa.Column("user_id", columns.BigInt(), nullable=True),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("content", columns.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"],
            ["authorization_rules.id"],
            name=op.f("fk_authorization_rule_edits_rule_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_authorization_rule_edits_user_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authorization_rule_edits")),
    )
    op.create_index("ix_authorization_rule_edits_rule_id_id", "authorization_rule_edits", ["rule_id", "id"])
    op.create_index("ix_authorization_rule_edits_user_id", "authorization_rule_edits", ["user_id"])


def _enum(values: tuple[str, ...], name: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=32)


def _add_enum(name: str, values: tuple[str, ...], default: str | None = None) -> None:
    condition = f"{name} IN ({', '.join(map(repr, values))})"
    constraint = op.f(f"ck_instances_{name}")
    if op.get_context().dialect.name == "sqlite":
        # SQLite takes a CHECK with a new column, and drops it with the column, but adds none to a table.
        needed = f" DEFAULT '{default}' NOT NULL" if default else ""
        op.execute(
            f"ALTER TABLE instances ADD COLUMN {name} VARCHAR(32){needed} CONSTRAINT {constraint} CHECK ({condition})"
        )
        return
    op.add_column("instances", sa.Column(name, sa.String(32), nullable=default is None, server_default=default))
    op.create_check_constraint(constraint, "instances", condition)


def _tell_sources() -> None:
    """Who decided so far: somebody, the baseline, or nobody. (A person may be gone whose decision stands.)"""
    instances = sa.table("instances", *(sa.column(name) for name in ("auth_source", "auth_reason", "auth_changed_at")))
    source = sa.case((instances.c.auth_reason == BASELINE, "baseline"), else_="person")
    op.execute(sa.update(instances).where(instances.c.auth_changed_at.is_not(None)).values(auth_source=source))


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
