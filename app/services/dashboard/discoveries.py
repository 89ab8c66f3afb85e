"""The latest discoveries, whosever accounts they read."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from app.database import db, first_id_at
from app.models import Account, Run, User
from app.models.mixins import utc_now
from app.models.types import RunKind
from app.services.scope import in_visible_account

MOST = 6

#: What is older is no news, and is not looked for: the ledger is long.
LATELY = timedelta(days=1)


def list_last_discoveries(viewer: User) -> Sequence[Any]:
    """The runs that read the viewer's accounts last, newest first: rows of (Run, account_name)."""
    # The ids alone and first, or MariaDB begins with the accounts and sorts all of their runs.
    latest = (
        sa.select(Run.id)
        .where(
            Run.kind == RunKind.DISCOVER_ACCOUNT,
            Run.id >= first_id_at(utc_now() - LATELY),
            in_visible_account(Run.account_id, viewer),
        )
        .order_by(Run.id.desc())
        .limit(MOST)
        .subquery()
    )
    return db.session.execute(
        sa.select(Run, Account.account_name)
        .join(latest, latest.c.id == Run.id)
        .join(Account, Account.id == Run.account_id)
        .order_by(Run.id.desc())
    ).all()
