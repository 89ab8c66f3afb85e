"""Readings of the ledger for pages, scoped to the viewer in the query."""

from collections.abc import Sequence

import sqlalchemy as sa

from app.database import db
from app.errors import NotFoundError
from app.models import Account, Run, User
from app.models.types import Role, RunKind, RunState
from app.services.scope import in_visible_account

ACTIVE = (RunState.QUEUED, RunState.RUNNING)


def visible_runs(viewer: User) -> sa.Select[Run]:
    """Runs of the viewer's accounts; those of the installation itself are for admins."""
    query = sa.select(Run)
    # Not the condition alone: a run of no account must be seen by admins and by nobody else.
    return query if viewer.can(Role.ADMIN) else query.where(in_visible_account(Run.account_id, viewer))


def get_run(run_id: int, *, viewer: User) -> Run:
    """Raises:
    NotFoundError: there is none, or it is not the viewer's to see.
    """
    run = db.session.scalars(visible_runs(viewer).where(Run.id == run_id)).one_or_none()
    if run is None:
        raise NotFoundError("There is no such job")
    return run


def list_runs(
    viewer: User, *, account: Account | None = None, active_only: bool = False, limit: int = 20
) -> Sequence[Run]:
    """The latest runs first, of one account or of all that the viewer may see."""
    query = visible_runs(viewer).order_by(Run.id.desc()).limit(limit)
    if account is not None:
        query = query.where(Run.account_id == account.id)
    if active_only:
        query = query.where(Run.state.in_(ACTIVE))
    return db.session.scalars(query).all()


def find_active_run(account: Account, kind: RunKind | None = None) -> Run | None:
    """The run that works on this account, else the queued one due first. The account is one the caller may see."""
    query = (
        sa.select(Run)
        .where(Run.account_id == account.id, Run.state.in_(ACTIVE))
        .order_by(Run.state != RunState.RUNNING, Run.due_at, Run.id)
        .limit(1)
    )
    if kind is not None:
        query = query.where(Run.kind == kind)
    return db.session.scalars(query).one_or_none()


def count_runs(viewer: User) -> dict[RunState, int]:
    """How many of the viewer's runs are in each state; states without any are 0."""
    runs = visible_runs(viewer).subquery()
    rows = db.session.execute(sa.select(runs.c.state, sa.func.count()).group_by(runs.c.state))
    return dict.fromkeys(RunState, 0) | dict(rows.all())
