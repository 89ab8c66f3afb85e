"""Whose rows a viewer may see, as conditions that go inside the SELECT; nothing is filtered afterwards."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from app.database import db
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


#: Of so many accounts each is read by itself.
MOST_PARTS = 50


def parts_by_account(
    account_id: sa.ColumnElement[Any] | InstrumentedAttribute[int], viewer: User, only: Sequence[int] = ()
) -> list[sa.ColumnElement[bool]]:
    """Conditions that together are `in_visible_account` (and among `only`, where that is given), for lists that are
    read in the order of an index which begins with the account.

    One for each account where they are few: the rows of a small client are then read from the index, each account's
    in order. Of `account_id IN (...)` databases make a walk through everybody's rows instead, until enough are found.
    """
    if viewer.can(Role.ADMIN) and not only:
        return [sa.true()]
    theirs = sa.select(Account.id).where(visible_accounts(viewer))
    if only:
        theirs = theirs.where(Account.id.in_(only))
    pks = db.session.scalars(theirs.limit(MOST_PARTS + 1)).all()
    if len(pks) <= MOST_PARTS:
        return [account_id == pk for pk in pks] or [sa.false()]
    among = account_id.in_(only) if only else sa.true()
    return [sa.and_(in_visible_account(account_id, viewer), among)]
