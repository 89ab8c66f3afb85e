"""Intervals of downtime, as they were recorded."""

from typing import Any

import sqlalchemy as sa

from app.models import Account, Downtime, User
from app.models.types import DowntimeCause
from app.services.paging import Page, Sort, fetch_page
from app.services.scope import in_visible_account

COLUMNS = (
    Downtime.id,
    Downtime.started_at,
    Downtime.ended_at,
    Downtime.cause,
    Downtime.is_planned,
    Downtime.instance_id,
    Downtime.instance_pk,
    Downtime.region,
    Downtime.account_id,
    Account.account_name,
)


def list_downtime(
    viewer: User, *, account_pk: int | None = None, cause: DowntimeCause | None = None, cursor: str | None = None
) -> Page[Any]:
    """A page of intervals on the viewer's accounts, latest start first; rows have the attributes of COLUMNS.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    matching = sa.select(Downtime.id).where(in_visible_account(Downtime.account_id, viewer))
    if account_pk is not None:
        matching = matching.where(Downtime.account_id == account_pk)
    if cause is not None:
        matching = matching.where(Downtime.cause == cause)
    shown = sa.select(*COLUMNS).join(Account, Account.id == Downtime.account_id)
    return fetch_page(matching, shown, Sort(Downtime.started_at, Downtime.id, is_descending=True), cursor)
