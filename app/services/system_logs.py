"""The application's log as stored: auditing an act, reading, forgetting what is old. The writing of log lines is in
`system_log_handler`."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.database import db, own_transaction
from app.errors import ForbiddenError
from app.models.account import Account
from app.models.system_log import SystemLog
from app.models.types import LogLevel, Role
from app.models.user import User
from app.services.redaction import redact_details, redact_text, storable

#: What is under way in this request or job; log lines and audit rows carry it without being told.
request_id: ContextVar[str] = ContextVar("request_id", default="")
acting_user_id: ContextVar[int | None] = ContextVar("acting_user_id", default=None)
acting_account_id: ContextVar[int | None] = ContextVar("acting_account_id", default=None)

REQUEST_ID_LENGTH = 36
COMPONENT_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """What the reader wants to see; an empty value does not narrow."""

    component: str = ""
    level: LogLevel | None = None
    account_id: int | None = None
    """`accounts.id`."""
    user_id: int | None = None
    request_id: str = ""
    text: str = ""
    """How the message begins, whatever its case."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One stored line, with the names that its ids have today; empty where the row is gone."""

    log: SystemLog
    username: str
    account_name: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines, newest first, and the ids from which the pages beside it go on (none where there is none)."""

    entries: list[LogEntry]
    newer_than: int | None
    older_than: int | None


def record(
    component: str,
    message: str,
    *,
    level: LogLevel = LogLevel.INFO,
    user: User | None = None,
    account: Account | None = None,
    **details: object,
) -> SystemLog:
    """Add an audit row to the current transaction: the act and its row are kept together, or neither.

    Without `user` or `account` the row names those of the request or job under way. What looks like a secret is masked.
    """
    row = SystemLog(
        component=component[:COMPONENT_LENGTH],
        level=level,
        message=redact_text(message),
        details=redact_details(details),
        user_id=user.id if user is not None else acting_user_id.get(),
        account_id=account.id if account is not None else acting_account_id.get(),
        request_id=request_id.get()[:REQUEST_ID_LENGTH],
    )
    db.session.add(row)
    return row


def prune_logs(*, older_than: datetime, batch_size: int = 1000) -> int:
    """Delete the lines logged before that moment and return how many; each batch is a short transaction of its own.

    Call it outside a transaction: on SQLite one that has written would keep this one waiting.
    """
    deleted = 0
    old = (
        sa.select(SystemLog.id)
        .where(SystemLog.logged_at < older_than)
        .order_by(SystemLog.logged_at, SystemLog.id)
        .limit(batch_size)
    )
    while True:
        with own_transaction() as session:
            ids = session.scalars(old).all()
            if ids:
                session.execute(sa.delete(SystemLog).where(SystemLog.id.in_(ids)))
        deleted += len(ids)
        if len(ids) < batch_size:
            return deleted


def list_logs(
    viewer: User, filters: LogFilters, *, before: int | None = None, after: int | None = None, limit: int = 50
) -> LogPage:
    """One page of lines, newest first: the newest, those older than the line `before`, or those newer than `after`.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    if not viewer.can(Role.ADMIN):
        raise ForbiddenError("Only admins may read the log")
    select = (
        sa.select(SystemLog, User.username, Account.account_name)
        .outerjoin(User, User.id == SystemLog.user_id)
        .outerjoin(Account, Account.id == SystemLog.account_id)
        .where(*_conditions(filters))
        .limit(limit + 1)
    )
    if after is not None:
        found = db.session.execute(select.where(SystemLog.id > after).order_by(SystemLog.id.asc())).all()
    else:
        older = select if before is None else select.where(SystemLog.id < before)
        found = db.session.execute(older.order_by(SystemLog.id.desc())).all()
    has_more = len(found) > limit
    entries = [LogEntry(log, username or "", account_name or "") for log, username, account_name in found[:limit]]
    if after is not None:
        entries.reverse()
    first, last = (entries[0].log.id, entries[-1].log.id) if entries else (None, None)
    return LogPage(
        entries,
        newer_than=first if (has_more if after is not None else before is not None) else None,
        older_than=last if (has_more or after is not None) else None,
    )


def list_components(viewer: User) -> list[str]:
    """The components that have lines, in order; found by hops through the index, not by reading every line."""
    if not viewer.can(Role.ADMIN):
        raise ForbiddenError("Only admins may read the log")
    hop = sa.select(sa.func.min(SystemLog.component).label("component")).cte("components", recursive=True)
    following = sa.select(sa.func.min(SystemLog.component)).where(SystemLog.component > hop.c.component)
    hop = hop.union_all(sa.select(following.scalar_subquery()).where(hop.c.component.is_not(None)))
    return list(db.session.scalars(sa.select(hop.c.component).where(hop.c.component.is_not(None))))


def _conditions(filters: LogFilters) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (SystemLog.component, filters.component),
        (SystemLog.level, filters.level),
        (SystemLog.account_id, filters.account_id),
        (SystemLog.user_id, filters.user_id),
        (SystemLog.request_id, filters.request_id),
    ):
        if value is not None and value != "":
            conditions.append(column == (storable(value) if type(value) is str else value))
    if filters.text:
        # Both sides through the database's lower(): each folds other letters than Python does.
        start = sa.func.lower(storable(filters.text).replace("/", "//").replace("%", "/%").replace("_", "/_") + "%")
        conditions.append(sa.func.lower(SystemLog.message).like(start, escape="/"))
    return conditions
