"""Readings of the ledger for pages, scoped to the viewer in the query."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import sqlalchemy as sa

from app.database import db
from app.errors import NotFoundError
from app.models import Account, Run, User
from app.models.mixins import utc_now
from app.models.types import Role, RunKind, RunState
from app.services.paging import PAGE_SIZE, Page, Sort, fetch_page
from app.services.scope import in_visible_account

ACTIVE = (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as pages show it."""

    run: Run
    asked_by: str = ""
    """Somebody's username; empty for the schedule."""

    @property
    def waited(self) -> timedelta:
        """From being asked for to the last begin; until now where it has not begun, until its end where it never
        did."""
        return max((self.run.started_at or self.run.finished_at or utc_now()) - self.run.created_at, timedelta())

    @property
    def lasted(self) -> timedelta | None:
        """From the last begin to the end, or until now; None where it is not at work and has not been."""
        if self.run.started_at is None or self.run.state is RunState.QUEUED:
            return None
        return max((self.run.finished_at or utc_now()) - self.run.started_at, timedelta())

    @property
    def age(self) -> timedelta:
        """From being asked for until now."""
        return max(utc_now() - self.run.created_at, timedelta())

    @property
    def until_due(self) -> timedelta:
        """Until it is tried; nothing where it may be now."""
        return max(self.run.due_at - utc_now(), timedelta())

    @property
    def is_early(self) -> bool:
        """Whether it waits for its time, and not for a worker."""
        return self.run.state is RunState.QUEUED and self.run.due_at > utc_now()


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


def list_account_runs(account: Account, cursor: str | None = None, *, size: int = PAGE_SIZE) -> Page[RunRow]:
    """A page of the account's runs, newest first. The account is one the caller may see.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    matching = sa.select(Run.id).where(Run.account_id == account.id)
    shown = sa.select(Run, Run.id, User.username).outerjoin(User, User.id == Run.requested_by_id)
    # By id alone: it begins with the time at which the run was asked for.
    page = fetch_page(matching, shown, Sort(Run.id, Run.id, is_descending=True), cursor, size=size)
    return replace(page, items=[RunRow(row.Run, row.username or "") for row in page.items])


def get_account_run(account: Account, run_id: int) -> RunRow:
    """One run of the account, which is one the caller may see.

    Raises:
        NotFoundError: the account has no such run.
    """
    found = db.session.execute(
        sa.select(Run, User.username)
        .outerjoin(User, User.id == Run.requested_by_id)
        .where(Run.id == run_id, Run.account_id == account.id)
    ).one_or_none()
    if found is None:
        raise NotFoundError("There is no such job")
    return RunRow(found.Run, found.username or "")


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
