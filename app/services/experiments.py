"""The history of decisions: each switch and each hold, with what it rested on."""

from typing import Any

import sqlalchemy as sa

from app.models import Account, Experiment, User
from app.models.types import Decision
from app.services.paging import Page, Sort, fetch_page
from app.services.scope import in_visible_account

COLUMNS = (
    Experiment.id,
    Experiment.decided_at,
    Experiment.decision,
    Experiment.reason,
    Experiment.instance_id,
    Experiment.instance_pk,
    Experiment.hourly_saving,
    Experiment.currency,
    Experiment.account_id,
    Account.account_name,
)


def list_experiments(
    viewer: User, *, account_pk: int | None = None, decision: Decision | None = None, cursor: str | None = None
) -> Page[Any]:
    """A page of decisions on the viewer's accounts, newest first; rows have the attributes of COLUMNS.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    matching = sa.select(Experiment.id).where(in_visible_account(Experiment.account_id, viewer))
    if account_pk is not None:
        matching = matching.where(Experiment.account_id == account_pk)
    if decision is not None:
        matching = matching.where(Experiment.decision == decision)
    shown = sa.select(*COLUMNS).join(Account, Account.id == Experiment.account_id)
    return fetch_page(matching, shown, Sort(Experiment.decided_at, Experiment.id, is_descending=True), cursor)
