"""Whose rows a viewer may see, as conditions that go inside the SELECT; nothing is filtered afterwards."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from app.models import Account, User
from app.models.types import Role


def visible_accounts(viewer: User) -> sa.ColumnElement[bool]:
    """The condition on `accounts`: a client's own; every account for admins and super admins.

    For queries that select from `accounts` or join it.
    """
    return sa.true() if viewer.can(Role.ADMIN) else Account.user_id == viewer.id


def in_visible_account(
    account_id: sa.ColumnElement[Any] | InstrumentedAttribute[int] | InstrumentedAttribute[int | None], viewer: User
) -> sa.ColumnElement[bool]:
    """The condition on a column that refers to `accounts.id`, for queries of tables that hang on an account."""
    if viewer.can(Role.ADMIN):
        return sa.true()
    return account_id.in_(sa.select(Account.id).where(Account.user_id == viewer.id))
