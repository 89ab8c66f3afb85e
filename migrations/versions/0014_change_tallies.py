"""What happened to each account's instances, counted by day."""

import json
from collections import Counter, defaultdict
from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import op

from app import columns

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

DEEDS = ("appeared", "started", "stopped", "terminated", "vanished")
ENTERED = {
    "pending": "started",
    "running": "started",
    "stopping": "stopped",
    "stopped": "stopped",
    "shutting-down": "terminated",
    "terminated": "terminated",
}


def upgrade() -> None:
    counts = [sa.Column(name, sa.Integer(), nullable=False) for name in ("readings", *DEEDS)]
    table = op.create_table(
        "change_tallies",
        sa.Column("account_id", columns.BigInt(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *counts,
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_change_tallies_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "day", name=op.f("pk_change_tallies")),
    )
    op.create_index("ix_change_tallies_day", "change_tallies", ["day"])
    rows = _count_history()
    if rows:
        op.bulk_insert(table, rows)


def downgrade() -> None:
    op.drop_table("change_tallies")


def _count_history() -> list[dict[str, Any]]:
    """The days of which there is a history already. How often accounts were read in them is not known any more; that
    they were, is: nothing else tells of changes."""
    changes = sa.table(
        "instance_changes", *map(sa.column, ("account_id", "seen_at", "kind", "field", "before", "after"))
    )
    day = sa.func.date(changes.c.seen_at)
    before, after = sa.cast(changes.c.before, sa.String), sa.cast(changes.c.after, sa.String)
    kinds = (changes.c.account_id, day, changes.c.kind, changes.c.field, before, after)
    query = (
        sa.select(*kinds, sa.func.count())
        .where((changes.c.kind != "changed") | (changes.c.field == "state"))
        .group_by(*kinds)
    )
    counts: defaultdict[tuple[int, Any], Counter[str]] = defaultdict(Counter)
    for account_id, on, kind, field, was, now, number in op.get_bind().execute(query):
        deed = _deed_of(kind, field, *(json.loads(state) if state else None for state in (was, now)))
        if deed:
            counts[account_id, on][deed] += number
    return [
        # SQLite has no dates.
        {"account_id": account_id, "day": date.fromisoformat(on) if isinstance(on, str) else on, "readings": 1}
        | {deed: found[deed] for deed in DEEDS}
        for (account_id, on), found in counts.items()
    ]


def _deed_of(kind: str, field: str, before: Any, after: Any) -> str | None:
    if kind in {"appeared", "returned"}:
        return "appeared"
    if kind == "vanished":
        return "vanished" if after == "missing" else None
    entered = ENTERED.get(after)
    return entered if entered != ENTERED.get(before) else None
