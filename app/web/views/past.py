"""The list of instances as it stood at a moment."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, render_template, request, url_for

from app.models.mixins import utc_now
from app.models.types import Role
from app.services.instances.filters import InstanceFilters, as_id
from app.services.instances.listing import list_account_choices
from app.services.instances.past import list_past, list_unread_accounts
from app.services.instances.tallies import tally_instances, tally_types
from app.web.access import current_viewer, requires, settings
from app.web.arguments import asked_moment

blueprint = Blueprint("past", __name__, url_prefix="/instances/as-of")

#: What can be filtered by, and what it is called on the page.
FILTERS = {"account": "Account", "region": "Region", "state": "State", "lifecycle": "Lifecycle", "type": "Type"}

#: States and lifecycles that may have been then, whatever there is today; AWS may have had others.
STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated", "missing")
LIFECYCLES = ("on-demand", "spot", "scheduled", "capacity-block")
MAX_CHOICES = 100

#: Moments to begin with, in days before now.
PRESETS = (("A day ago", 1), ("A week ago", 7), ("30 days ago", 30))


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    viewer = current_viewer()
    asked = InstanceFilters.parse(request.args.to_dict(flat=False))
    # One value each, and none but these: the past of tags and names is not searched.
    filters = replace(InstanceFilters(), **{name: getattr(asked, name)[:1] for name in FILTERS})
    asked_at = asked_moment("at", settings().history_days)
    at = asked_at.usable
    page: Any = None
    unread: Any = ((), 0)
    if at is not None:
        page = list_past(viewer, filters, at, request.args.get("cursor"))
        unread = list_unread_accounts(viewer, filters, at)
    accounts = list_account_choices(viewer)
    return render_template(
        "instance/past.html",
        at=at,
        asked_at=asked_at,
        page=page,
        filters=filters,
        chips=list(_chips(filters, dict(accounts), at)),
        accounts=accounts,
        choices=_choices(viewer, filters),
        presets=[(word, utc_now() - timedelta(days=days)) for word, days in PRESETS],
        unread_accounts=unread[0],
        unread_count=unread[1],
        history_days=settings().history_days,
        clear_url=_address(InstanceFilters(), at),
        today_url=_today(filters),
        next_url=page and page.next and _address(filters, at, cursor=page.next),
        previous_url=page and page.previous and _address(filters, at, cursor=page.previous),
    )


def _choices(viewer: Any, filters: InstanceFilters) -> dict[str, list[tuple[str, str]]]:
    today = tally_instances(viewer)
    found = {
        "region": [value for value, _ in today.by("region")],
        "state": [*STATES, *(value for value, _ in today.by("state"))],
        "lifecycle": [*LIFECYCLES, *(value for value, _ in today.by("lifecycle"))],
        "type": [value for value, _ in tally_types(viewer).by("type")][:MAX_CHOICES],
    }
    # What the address asks for is among the choices, or the form would take it away.
    return {
        name: [(value, value) for value in dict.fromkeys([*values, *getattr(filters, name)])]
        for name, values in found.items()
    }


def _chips(filters: InstanceFilters, accounts: dict[int, str], at: datetime | None) -> Iterator[dict[str, str]]:
    for name, value in filters.pairs():
        shown = accounts.get(as_id(value) or 0, value) if name == "account" else value
        yield {"label": f"{FILTERS[name]}: {shown}", "remove_url": _address(filters.without(name, value), at)}


def _address(filters: InstanceFilters, at: datetime | None, **more: str) -> str:
    """Of the same moment to the microsecond, whoever opens it."""
    kept: dict[str, Any] = {**filters.to_params(), **more}
    return url_for("past.index", at=at and at.isoformat().replace("+00:00", "Z"), **kept)


def _today(filters: InstanceFilters) -> str:
    kept: dict[str, Any] = {**filters.to_params()}
    return url_for("instances.index", **kept)
