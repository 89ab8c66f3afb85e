"""How the installation itself is doing, as far as its own tables tell: for admins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.columns import UtcDateTime
from app.database import database_now, db, first_id_at
from app.errors import ForbiddenError
from app.models import Account, Run, User
from app.models.types import Role, RunState
from app.services.readiness import newest_revision

#: Workers that have done something within this time are told of.
LATELY = timedelta(hours=1)

#: The scheduler turns every few seconds; what has been due for longer than this it has not looked at.
SCHEDULER_PATIENCE = timedelta(minutes=2)

#: A run that a worker could do and that has waited for longer than this waits for want of workers.
WORKER_PATIENCE = timedelta(minutes=5)

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB"}
_VERSIONS = {"sqlite": "SELECT sqlite_version()", "postgresql": "SHOW server_version", "mysql": "SELECT version()"}


@dataclass(frozen=True, slots=True)
class Installation:
    """What can be told truthfully. A worker or scheduler that has nothing to do leaves no trace, and is not missed."""

    database: str
    """`PostgreSQL 15.14`."""

    revision: str
    newest: str
    """The schema's revision, and the one that this code was written for."""

    queued: int
    """Runs that could begin now."""

    oldest_due_at: datetime | None
    """Since when the longest waiting of them has been due."""

    under_way: int
    lost: int
    """Runs under way whose worker gave no sign of life until the lease ended."""

    workers: Sequence[Any]
    """Rows of worker, last_at (when it last began or ended something), busy (runs under way), the latest first."""

    overdue_since: datetime | None
    """Since when an account has been due that the scheduler should have queued; None where it keeps up."""

    next_due_at: datetime | None
    """When the next account is due."""

    looked_at: datetime
    """The database's time, with which the times above are to be compared."""

    @property
    def is_migrated(self) -> bool:
        return self.revision == self.newest

    @property
    def is_starved(self) -> bool:
        """Whether jobs wait although nothing holds them back: too few workers, or none."""
        return self.oldest_due_at is not None and self.looked_at - self.oldest_due_at > WORKER_PATIENCE

    @property
    def is_well(self) -> bool:
        return self.is_migrated and not self.is_starved and self.overdue_since is None and not self.lost


def examine_installation(viewer: User) -> Installation:
    """Raises:
    ForbiddenError: the viewer is not an admin.
    """
    if not viewer.can(Role.ADMIN):
        raise ForbiddenError("Only admins see how the installation is doing")
    now = database_now()
    is_due = (Run.state == RunState.QUEUED) & (Run.due_at <= now)
    is_running = Run.state == RunState.RUNNING
    queued, oldest, under_way, lost = db.session.execute(
        sa.select(
            sa.func.count(sa.case((is_due, Run.id))),
            sa.func.min(sa.case((is_due, Run.due_at)), type_=UtcDateTime()),
            sa.func.count(sa.case((is_running, Run.id))),
            sa.func.count(sa.case((is_running & (Run.lease_until < now), Run.id))),
        ).where(Run.state.in_((RunState.QUEUED, RunState.RUNNING)))
    ).one()
    next_due_at = db.session.scalar(sa.select(sa.func.min(Account.next_due_at, type_=UtcDateTime())))
    is_overdue = next_due_at is not None and now - next_due_at > SCHEDULER_PATIENCE
    return Installation(
        database=_database(),
        revision=db.session.scalar(sa.text("SELECT version_num FROM alembic_version")) or "",
        newest=newest_revision() or "",
        queued=queued,
        oldest_due_at=oldest,
        under_way=under_way,
        lost=lost,
        workers=_list_workers(now),
        overdue_since=next_due_at if is_overdue else None,
        next_due_at=None if is_overdue else next_due_at,
        looked_at=now,
    )


def _list_workers(now: datetime) -> Sequence[Any]:
    last_at = sa.func.max(sa.func.coalesce(Run.finished_at, Run.started_at), type_=UtcDateTime()).label("last_at")
    return db.session.execute(
        sa.select(Run.worker, last_at, sa.func.count(sa.case((Run.state == RunState.RUNNING, Run.id))).label("busy"))
        # By their ids, which begin with the time: the ledger is long.
        .where(Run.id >= first_id_at(now - LATELY), Run.worker != "")
        .group_by(Run.worker)
        .order_by(last_at.desc(), Run.worker)
    ).all()


def _database() -> str:
    dialect = db.engine.dialect
    kind = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    version = str(db.session.scalar(sa.text(_VERSIONS[dialect.name])) or "")
    return f"{DATABASES[kind]} {version.split('-')[0].split()[0]}"
