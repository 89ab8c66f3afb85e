"""Pages about instances: the list with its filters, authorizing. One instance's own page is in `instance`."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.database import commits, db
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.models.types import AuthStatus, Role
from app.services.instances import listing
from app.services.instances.address import ListAddress
from app.services.instances.authorize import find_last_change, record_refusal, set_auth_status, undo_change
from app.services.instances.columns import DEFAULT_COLUMNS, SORTS, parse_sort
from app.services.instances.filters import as_id
from app.services.instances.freshness import find_freshness
from app.services.instances.tallies import COUNTED, tally_instances, tally_types
from app.services.paging import COUNT_CAP, Page
from app.web.access import current_viewer, requires, settings
from app.web.addresses import local_path

blueprint = Blueprint("instances", __name__, url_prefix="/instances")

#: No list to choose from is longer; the most frequent values come first.
MAX_CHOICES = 100

#: What each filter is called on the page.
FILTER_NAMES = {
    "account": "Account",
    "region": "Region",
    "state": "State",
    "lifecycle": "Lifecycle",
    "type": "Type",
    "auth_status": "Authorization",
    "tag": "Tag",
    "q": "Search",
}


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    viewer = current_viewer()
    address = ListAddress.parse(viewer, request.args.to_dict(flat=False))
    filters, sort = address.filters, address.sort
    page: Page[Any] = Page((), 0, False, None, None)
    if not address.error:
        columns = (*DEFAULT_COLUMNS, "private-ip", "public-ip", "seen")
        page = listing.list_instances(viewer, filters, sort=sort, columns=columns, cursor=request.args.get("cursor"))
    accounts = listing.list_account_choices(viewer)
    tallies, types = tally_instances(viewer), tally_types(viewer)
    return render_template(
        "instance/index.html",
        page=page,
        address=address,
        filters=filters,
        chips=list(_chips(address, dict(accounts))),
        accounts=accounts,
        choices={
            name: [
                (value, f"{value} ({count:,})")
                for value, count in (types if name == "type" else tallies).by(name)[:MAX_CHOICES]
            ]
            for name in COUNTED
        },
        freshness=find_freshness(viewer, filters, interval_seconds=settings().discovery_interval_seconds),
        count_text=_count_text(page),
        sorts=dict(_sorts(address)),
        next_url=page.next and _url(address, cursor=page.next),
        previous_url=page.previous and _url(address, cursor=page.previous),
        may_authorize=viewer.can(Role.ADMIN),
        here=request.full_path.rstrip("?"),
        undo=session.pop("undo", None),
    )


@blueprint.post("/authorize")
@requires(Role.ADMIN)
@commits
def authorize() -> ResponseReturnValue:
    """Authorize the instances whose ids are sent, or no longer; then back to where it was asked."""
    viewer = current_viewer()
    ids = {id_ for id_ in map(as_id, request.form.getlist("ids")) if id_ is not None}
    try:
        status = _status_asked_for()
        changed = set_auth_status(viewer, ids, status, reason=request.form.get("reason", ""))
    except InvalidInputError as error:
        flash(str(error), "danger")
    except NotFoundError:
        db.session.rollback()
        record_refusal(viewer, ids)
        db.session.commit()
        raise
    else:
        _say_changed(changed, status.value)
        last = find_last_change(viewer) if changed else None
        if last:
            session["undo"] = last.isoformat()
    return _back()


@blueprint.post("/authorize/undo")
@requires(Role.ADMIN)
@commits
def undo() -> ResponseReturnValue:
    """Turn round what one has just done."""
    session.pop("undo", None)
    try:
        changed_at = datetime.fromisoformat(request.form.get("changed_at", "")).astimezone(UTC)
        _say_changed(undo_change(current_viewer(), changed_at), "as before")
    except (ValueError, OverflowError):
        flash("There is nothing to undo.", "danger")
    except ConflictError as error:
        flash(str(error), "danger")
    return _back()


def _status_asked_for() -> AuthStatus:
    asked = request.form.get("auth_status")
    found = next((status for status in AuthStatus if status.value == asked), None)
    if found is None:
        raise InvalidInputError("Say whether to authorize the instances, or no longer.", field="auth_status")
    return found


def _say_changed(count: int, what: str) -> None:
    flash(f"{count:,} {'instance is' if count == 1 else 'instances are'} now {what}.", "ok")


def _back() -> ResponseReturnValue:
    return redirect(local_path(request.form.get("next", ""), url_for("instances.index")), 303)


def _chips(address: ListAddress, accounts: dict[int, str]) -> Iterator[dict[str, str]]:
    for is_excluded, criteria in ((False, address.filters), (True, address.filters.excluded)):
        for name, value in criteria.pairs():
            shown = accounts.get(as_id(value) or 0, value) if name == "account" else value
            yield {
                "label": f"{FILTER_NAMES[name]}: {'not ' if is_excluded else ''}{shown}",
                "remove_url": _url(address.without(name, value, is_excluded=is_excluded)),
            }


def _sorts(address: ListAddress) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """For each sort the address that sorts by it, or turns it round, and the direction it has now."""
    current, is_descending = parse_sort(address.sort)
    for name in SORTS:
        direction = None if name != current else "desc" if is_descending else "asc"
        yield name, (_url(replace(address, sort=f"-{name}" if direction == "asc" else name)), direction)


def _url(address: ListAddress, **more: str) -> str:
    return url_for("instances.index", **address.to_params(), **more)  # type: ignore[arg-type]


def _count_text(page: Page[Any]) -> str:
    if page.is_total_capped:
        return f"more than {COUNT_CAP:,} instances"
    return "1 instance" if page.total == 1 else f"{page.total:,} instances"
