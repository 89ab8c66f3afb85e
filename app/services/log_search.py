"""Reading the application's log: a page of what is asked for, what came since, and all of it as JSON lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.database import CLOCKS_APART, db, first_id_at
from app.errors import ForbiddenError
from app.models import Account, SystemLog, User
from app.models.mixins import utc_now
from app.models.types import LogLevel, Role
from app.services.instances.filters import as_id
from app.services.log_lines import LogLine, render_json
from app.services.redaction import storable

PAGE_SIZE = 50

#: How many new lines one look brings; more than that come with the next.
NEWER_SIZE = 200

#: A line gets its id before its transaction ends. Only what is this old is followed: another process's line with a
#: lower id could else appear behind the reader's back.
SETTLE = timedelta(seconds=2)

EXPORT_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    """What the reader wants to see; an empty value does not narrow."""

    component: str = ""
    levels: Sequence[LogLevel] = ()
    account: str = ""
    """`accounts.id`, or AWS's twelve digits."""
    user: str = ""
    """`users.id`, or a username."""
    request_id: str = ""
    text: str = ""
    """How the message begins, whatever its case."""
    since: datetime | None = None
    until: datetime | None = None
    """By when the line was logged; the end is not among them."""


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


def list_logs(
    viewer: User, filters: LogFilters, *, before: int | None = None, after: int | None = None, limit: int = PAGE_SIZE
) -> LogPage:
    """One page of lines, newest first: the newest, those older than the line `before`, or those newer than `after`.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    select = _select(viewer, filters).limit(limit + 1)
    if after is not None:
        found = _entries(select.where(SystemLog.id > after).order_by(SystemLog.id.asc()))
    else:
        older = select if before is None else select.where(SystemLog.id < before)
        found = _entries(older.order_by(SystemLog.id.desc()))
    has_more = len(found) > limit
    entries = found[:limit]
    if after is not None:
        entries.reverse()
    first, last = (entries[0].log.id, entries[-1].log.id) if entries else (None, None)
    return LogPage(
        entries,
        newer_than=first if (has_more if after is not None else before is not None) else None,
        older_than=last if (has_more or after is not None) else None,
    )


def list_newer(viewer: User, filters: LogFilters, *, after: int) -> list[LogEntry]:
    """The lines that have come since the line `after`, newest first; when there are very many, the first of them.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    select = _select(viewer, filters).where(SystemLog.id > after, SystemLog.id < settled_id())
    return _entries(select.order_by(SystemLog.id.asc()).limit(NEWER_SIZE))[::-1]


def settled_id() -> int:
    """Lines with lower ids are all there is to see of their time."""
    return first_id_at(utc_now() - SETTLE)


def export_lines(viewer: User, filters: LogFilters) -> Iterator[bytes]:
    """Every line up to now as JSON, the oldest first, in the shape that LOG_FORMAT=json has on stderr.

    In batches, each in a short transaction: memory stays flat, and nothing is held while the reader takes its time.

    Raises:
        ForbiddenError: the viewer is not an admin.
    """
    select = _select(viewer, filters).where(SystemLog.id < first_id_at(utc_now())).order_by(SystemLog.id)
    return _batches(select)


def _batches(select: sa.Select[Any]) -> Iterator[bytes]:
    last = -1
    while entries := _entries(select.where(SystemLog.id > last).limit(EXPORT_BATCH)):
        last = entries[-1].log.id
        lines = [render_json(_as_line(entry.log)) for entry in entries]
        db.session.rollback()
        yield ("\n".join(lines) + "\n").encode()


def _as_line(log: SystemLog) -> LogLine:
    details = dict(log.details)
    return LogLine(
        logged_at=log.logged_at,
        component=log.component,
        level=log.level,
        message=log.message,
        exception=str(details.pop("exception", "")),
        details=details,
        user_id=log.user_id,
        account_id=log.account_id,
        request_id=log.request_id,
    )


def list_components(viewer: User) -> list[str]:
    """The components that have lines, in order; found by hops through the index, not by reading every line."""
    _require_admin(viewer)
    hop = sa.select(sa.func.min(SystemLog.component).label("component")).cte("components", recursive=True)
    following = sa.select(sa.func.min(SystemLog.component)).where(SystemLog.component > hop.c.component)
    hop = hop.union_all(sa.select(following.scalar_subquery()).where(hop.c.component.is_not(None)))
    return list(db.session.scalars(sa.select(hop.c.component).where(hop.c.component.is_not(None))))


_COLUMNS: tuple[Any, ...] = (SystemLog, User.username, Account.account_name)


def _require_admin(viewer: User) -> None:
    if not viewer.can(Role.ADMIN):
        raise ForbiddenError("Only admins may read the log")


def _select(viewer: User, filters: LogFilters) -> sa.Select[Any]:
    _require_admin(viewer)
    return (
        sa.select(*_COLUMNS)
        .outerjoin(User, User.id == SystemLog.user_id)
        .outerjoin(Account, Account.id == SystemLog.account_id)
        .where(*_conditions(filters))
    )


def _entries(select: sa.Select[Any]) -> list[LogEntry]:
    return [
        LogEntry(log, username or "", account_name or "") for log, username, account_name in db.session.execute(select)
    ]


def _conditions(filters: LogFilters) -> Iterator[sa.ColumnElement[bool]]:
    for column, value in ((SystemLog.component, filters.component), (SystemLog.request_id, filters.request_id)):
        if value:
            yield column == storable(value)
    if filters.levels:
        yield SystemLog.level.in_(filters.levels)
    if filters.account:
        yield SystemLog.account_id.in_(_ids(filters.account, sa.select(Account.id), Account.account_id))
    if filters.user:
        yield SystemLog.user_id.in_(_ids(filters.user.lower(), sa.select(User.id), User.username))
    if filters.text:
        # Both sides through the database's lower(): each folds other letters than Python does.
        start = sa.func.lower(storable(filters.text).replace("/", "//").replace("%", "/%").replace("_", "/_") + "%")
        yield sa.func.lower(SystemLog.message).like(start, escape="/")
    if filters.since is not None:
        # Beside the time the id, which was made a little later and leads the order: the index is read from there.
        yield SystemLog.logged_at >= filters.since
        yield SystemLog.id >= first_id_at(filters.since - CLOCKS_APART)
    if filters.until is not None:
        yield SystemLog.logged_at < filters.until
        yield SystemLog.id < first_id_at(filters.until + CLOCKS_APART)


def _ids(text: str, ids: sa.Select[int], name: Any) -> list[int]:
    """What goes by this name, and the id that the text may be itself (of what is gone, too).

    Looked up beforehand: a condition with two ways to be true would have every line read.
    """
    found = list(db.session.scalars(ids.where(name == storable(text))))
    own = as_id(text)
    return found if own is None else [*found, own]
