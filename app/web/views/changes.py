"""What has changed about all of one's instances, since the last visit or another moment."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.database import commits
from app.models import User
from app.models.mixins import utc_now
from app.models.types import Role
from app.services.instances.changes import KINDS, ChangeFilters, list_changes, mark_seen, summarize_changes
from app.services.instances.listing import list_account_choices
from app.services.instances.timeline import LABELS
from app.web.access import current_viewer, requires, settings
from app.web.arguments import AskedMoment, asked_moment, number

blueprint = Blueprint("changes", __name__, url_prefix="/changes")

#: What the changes may be counted from, and in words.
PERIODS = {"visit": "Since last visit", "day": "24 hours", "week": "7 days", "date": "Since a date"}
DAYS = {"day": 1, "week": 7}

#: For who never marked anything as seen.
FIRST_DAYS = 7


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    viewer = current_viewer()
    now = utc_now()
    period = request.args.get("period", "visit")
    period = period if period in PERIODS else "visit"
    asked = asked_moment("since", settings().history_days)
    if period == "date" and asked.value is None and not asked.error:
        asked = replace(asked, error="Choose a date.")
    since = _beginning(viewer, period, asked, now)
    filters = ChangeFilters(
        since=since,
        account_pk=number("account"),
        kind=_known(KINDS, "kind"),
        field=_known(LABELS, "field"),
    )
    page = list_changes(viewer, filters, request.args.get("cursor"))
    accounts = list_account_choices(viewer)
    return render_template(
        "change/index.html",
        page=page,
        summary=summarize_changes(viewer, filters),
        filters=filters,
        period=period,
        since=since,
        is_first_visit=period == "visit" and viewer.changes_seen_at is None,
        asked=asked if period == "date" else AskedMoment("since", None, "", ""),
        now=now,
        kinds=KINDS,
        fields=list(LABELS.items()),
        periods=list(PERIODS.items()),
        accounts=accounts,
        chips=list(_chips(filters, period, dict(accounts))),
        address=lambda **changed: _address(filters, period, **changed),
        next_url=page.next and _address(filters, period, cursor=page.next),
        previous_url=page.previous and _address(filters, period, cursor=page.previous),
    )


@blueprint.post("/seen")
@requires(Role.CLIENT)
@commits
def mark() -> ResponseReturnValue:
    """Note that what the page showed was seen: what has come since it was made is still new."""
    now = utc_now()
    try:
        until = datetime.fromisoformat(request.form.get("until", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        until = now
    mark_seen(current_viewer(), min(until, now))
    flash("Marked as seen. What changes from now on is new to you.", "ok")
    return redirect(url_for("changes.index"), 303)


def _beginning(viewer: User, period: str, asked: AskedMoment, now: datetime) -> datetime:
    """From when on changes are told."""
    if period == "date" and asked.usable is not None:
        return asked.usable
    if period == "visit" and viewer.changes_seen_at is not None:
        return viewer.changes_seen_at
    return now - timedelta(days=DAYS.get(period, FIRST_DAYS))


def _known(table: dict[str, str], name: str) -> str:
    asked = request.args.get(name, "")
    return asked if asked in table else ""


def _chips(filters: ChangeFilters, period: str, accounts: dict[int, str]) -> Iterator[dict[str, str]]:
    if filters.account_pk is not None:
        shown = accounts.get(filters.account_pk, "unknown")
        yield {"label": f"Account: {shown}", "remove_url": _address(filters, period, account=None)}
    if filters.kind:
        yield {"label": f"Kind: {KINDS[filters.kind]}", "remove_url": _address(filters, period, kind=None)}
    if filters.field:
        yield {"label": f"Field: {LABELS[filters.field]}", "remove_url": _address(filters, period, field=None)}


def _address(filters: ChangeFilters, period: str, **changed: Any) -> str:
    kept: dict[str, Any] = {
        "period": None if period == "visit" else period,
        "since": filters.since.isoformat().replace("+00:00", "Z") if period == "date" else None,
        "account": filters.account_pk,
        "kind": filters.kind or None,
        "field": filters.field or None,
    }
    return url_for("changes.index", **{**kept, **changed})
