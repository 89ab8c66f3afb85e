"""The application's log, for admins: what was done and by whom, what jobs found, what went wrong."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from app.database import db
from app.models.mixins import utc_now
from app.models.types import LogLevel, Role
from app.services import log_search, system_logs
from app.services.instances.filters import as_id
from app.services.log_lines import printable
from app.services.log_search import LogEntry, LogFilters
from app.web.access import current_viewer, requires
from app.web.arguments import read_moment
from app.web.downloads import stream_file

blueprint = Blueprint("system_logs", __name__, url_prefix="/system-logs")


#: The filters by their names in the address, and what they are called on the page.
FILTERS = {
    "q": "Begins with",
    "component": "Component",
    "level": "Level",
    "period": "Period",
    "from": "From",
    "to": "To",
    "account": "Account",
    "user": "User",
    "request": "Request",
}

#: What goes by one name in the address, and its levels.
LEVELS = {
    "problems": (LogLevel.WARNING, LogLevel.ERROR),
    **{level.value: (level,) for level in LogLevel},
}
LEVEL_WORDS = {"problems": "warning or error"}
PERIODS = {
    "hour": ("the last hour", timedelta(hours=1)),
    "day": ("the last 24 hours", timedelta(days=1)),
    "week": ("the last 7 days", timedelta(days=7)),
    "month": ("the last 30 days", timedelta(days=30)),
}

#: Somebody who follows asks every few seconds, which keeps the session alive: it ends by itself, after half an hour.
FOLLOW_SECONDS = 3
FOLLOW_LOOKS = 600


@blueprint.get("")
@requires(Role.ADMIN)
def index() -> str:
    viewer = current_viewer()
    kept = _kept(request.args)
    follows = bool(request.args.get("follow"))
    # What is followed begins where it is settled, so that nothing falls between the page and the first look.
    before, after = (log_search.settled_id(), None) if follows else (_id("before"), _id("after"))
    page = log_search.list_logs(viewer, _filters(kept), before=before, after=after)
    newest = page.entries[0].log.id if page.entries else before if follows else after or 0
    return render_template(
        "system_log/index.html",
        rows=list(_rows(page.entries)),
        kept=kept,
        components=[(name, name) for name in log_search.list_components(viewer)],
        levels=[(name, LEVEL_WORDS.get(name, name)) for name in LEVELS],
        periods=[(name, words) for name, (words, _) in PERIODS.items()],
        active_filters=list(_chips(kept)),
        is_behind=before is not None or after is not None,
        follows=follows,
        follow=_follow(kept, newest or 0, FOLLOW_LOOKS) if follows else None,
        follow_url=_address({**kept, "follow": "1"}),
        plain_url=_address(kept),
        newest_url=_address({**kept, "after": str(newest)}),
        newer_url=page.newer_than and not follows and _address({**kept, "after": str(page.newer_than)}),
        older_url=page.older_than and _address({**kept, "before": str(page.older_than)}),
    )


@blueprint.get("/newer")
@requires(Role.ADMIN)
def newer() -> str:
    """The lines that have come since the last look, and the part of the page that asks for the next."""
    kept = _kept(request.args)
    after = _id("after") or 0
    entries = log_search.list_newer(current_viewer(), _filters(kept), after=after)
    left = min(_id("left") or 0, FOLLOW_LOOKS)
    return render_template(
        "system_log/_newer.html",
        rows=list(_rows(entries)),
        follow=_follow(kept, entries[0].log.id if entries else after, left - 1),
        follow_url=_address({**kept, "follow": "1"}),
        plain_url=_address(kept),
    )


@blueprint.post("/export")
@requires(Role.ADMIN)
def export() -> ResponseReturnValue:
    """What is filtered, as a file that is made while it is sent; that it was taken is in the log itself."""
    kept = _kept(request.form)
    lines = log_search.export_lines(current_viewer(), _filters(kept))
    system_logs.record("audit", "log lines exported", user=current_viewer(), filters=kept)
    db.session.commit()
    return stream_file(lines, "system-logs", "jsonl", "application/x-ndjson")


def _kept(source: MultiDict[str, str]) -> dict[str, str]:
    """The filters that are set, without the control characters that neither HTML nor databases take."""
    return {name: value for name in FILTERS if (value := printable(source.get(name, "")).strip())}


def _filters(kept: dict[str, str]) -> LogFilters:
    period = PERIODS.get(kept.get("period", ""))
    begins = [moment for moment in (_moment(kept.get("from")), utc_now() - period[1] if period else None) if moment]
    return LogFilters(
        component=kept.get("component", ""),
        levels=LEVELS.get(kept.get("level", ""), ()),
        account=kept.get("account", ""),
        user=kept.get("user", ""),
        request_id=kept.get("request", ""),
        text=kept.get("q", ""),
        since=max(begins, default=None),
        until=_moment(kept.get("to")),
    )


def _moment(text: str | None) -> datetime | None:
    """A time as a field for it sends it, in the viewer's zone; nonsense counts as nothing."""
    try:
        return read_moment(text or "", years=range(2000, 2090))  # for which there are ids
    except ValueError:
        return None


def _follow(kept: dict[str, str], newest: int, left: int) -> dict[str, object]:
    """Where to look next, and how often still."""
    query = urlencode({**kept, "after": newest, "left": left})
    return {
        "url": f"{url_for('system_logs.newer')}?{query}",
        "newer_url": _address({**kept, "after": str(newest)}),
        "is_running": left > 0,
        "seconds": FOLLOW_SECONDS,
    }


def _rows(entries: Iterable[LogEntry]) -> Iterator[tuple[LogEntry, str, str]]:
    for entry in entries:
        yield entry, printable(entry.log.message), _details(entry)


def _id(name: str) -> int | None:
    """A line's id from the address; 0, which none has, when it is not one."""
    text = printable(request.args.get(name, "")).strip()
    if not text:
        return None
    return as_id(text) or 0


def _address(query: dict[str, str]) -> str:
    return f"{url_for('system_logs.index')}?{urlencode(query)}" if query else url_for("system_logs.index")


def _chips(kept: dict[str, str]) -> Iterator[dict[str, str]]:
    for name, value in kept.items():
        others = {other: kept[other] for other in kept if other != name}
        words = PERIODS[value][0] if name == "period" and value in PERIODS else LEVEL_WORDS.get(value, value)
        yield {"label": f"{FILTERS[name]}: {words}", "remove_url": _address(others)}


def _details(entry: LogEntry) -> str:
    """The details as indented JSON, and an exception below it as it was printed."""
    details = dict(entry.log.details)
    exception = details.pop("exception", "")
    text = json.dumps(details, indent=2, ensure_ascii=False, sort_keys=True) if details else ""
    return "\n".join(printable(line) for line in "\n\n".join(filter(None, [text, str(exception)])).split("\n"))
