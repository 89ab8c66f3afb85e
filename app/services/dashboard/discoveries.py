"""The latest discoveries, whosever accounts they read."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, Run, User
from app.models.types import RunKind
from app.services.scope import visible_accounts

MOST = 6


def list_last_discoveries(viewer: User) -> Sequence[Any]:
    """The latest runs that read the viewer's accounts, newest first: rows of (Run, account_name)."""
    return db.session.execute(
        sa.select(Run, Account.account_name)
        .join(Account, Account.id == Run.account_id)
        .where(visible_accounts(viewer), Run.kind == RunKind.DISCOVER_ACCOUNT)
        .order_by(Run.id.desc())
        .limit(MOST)
    ).all()
