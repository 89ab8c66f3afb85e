"""The application's log, for admins: what was done and by whom, what jobs found, what went wrong."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

from flask import Blueprint, render_template, request, url_for

from app.models.types import LogLevel, Role
from app.services.log_lines import printable
from app.services.system_logs import LogEntry, LogFilters, list_components, list_logs
from app.web.access import current_viewer, requires

blueprint = Blueprint("system_logs", __name__, url_prefix="/system-logs")

MAX_ID = 2**63 - 1


@blueprint.get("")
@requires(Role.ADMIN)
def index() -> str:
    viewer = current_viewer()
    kept = {name: value for name in FILTERS if (value := _text(name))}
    filters = LogFilters(
        component=kept.get("component", ""),
        level=next((level for level in LogLevel if level == kept.get("level")), None),
        account_id=_id("account"),
        user_id=_id("user"),
        request_id=kept.get("request", ""),
        text=kept.get("q", ""),
    )
    page = list_logs(viewer, filters, before=_id("before"), after=_id("after"))
    return render_template(
        "system_log/index.html",
        rows=[(entry, printable(entry.log.message), _details(entry)) for entry in page.entries],
        kept=kept,
        components=[(name, name) for name in list_components(viewer)],
        levels=[(level.value, level.value) for level in LogLevel],
        active_filters=list(_chips(kept)),
        newer_url=page.newer_than and _address({**kept, "after": str(page.newer_than)}),
        older_url=page.older_than and _address({**kept, "before": str(page.older_than)}),
    )


#: The filters by their names in the address, and what they are called on the page.
FILTERS = {
    "q": "Begins with",
    "component": "Component",
    "level": "Level",
    "account": "Account",
    "user": "User",
    "request": "Request",
}


def _text(name: str) -> str:
    """A value from the address, without the control characters that neither HTML nor databases take."""
    return printable(request.args.get(name, "")).strip()


def _id(name: str) -> int | None:
    """An id from the address; 0, which nothing has, when it is not one."""
    text = _text(name)
    if not text:
        return None
    is_id = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_id and int(text) <= MAX_ID else 0


def _address(query: dict[str, str]) -> str:
    return f"{url_for('system_logs.index')}?{urlencode(query)}" if query else url_for("system_logs.index")


def _chips(kept: dict[str, str]) -> Iterator[dict[str, str]]:
    for name, value in kept.items():
        others = {other: kept[other] for other in kept if other != name}
        yield {"label": f"{FILTERS[name]}: {value}", "remove_url": _address(others)}


def _details(entry: LogEntry) -> str:
    """The details as indented JSON, and an exception below it as it was printed."""
    details = dict(entry.log.details)
    exception = details.pop("exception", "")
    text = json.dumps(details, indent=2, ensure_ascii=False, sort_keys=True) if details else ""
    return "\n".join(printable(line) for line in "\n\n".join(filter(None, [text, str(exception)])).split("\n"))
