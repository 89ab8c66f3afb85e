"""Authorizing instances, those that are named or all that a list shows, and taking that back."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.database import commits, db
from app.errors import ConflictError, InvalidInputError, NotFoundError
from app.models import User
from app.models.types import AuthStatus, Role
from app.services.instances.address import ListAddress
from app.services.instances.authorize import (
    MAX_STEP,
    count_changes,
    find_last_change,
    is_undone,
    record_refusal,
    set_auth_status,
    set_matching,
    undo_change,
)
from app.services.instances.filters import as_id
from app.services.paging import Count
from app.web.access import current_viewer, requires
from app.web.addresses import local_path
from app.web.filters import plural
from app.web.views.instance import blueprint
from app.web.views.instances import chips_of, current_address, layout_asked_for, list_url

__all__ = ["blueprint"]


@blueprint.post("/authorize")
@requires(Role.ADMIN)
@commits
def authorize() -> ResponseReturnValue:
    """Authorize the instances whose ids are sent, or no longer; then back to where it was asked."""
    viewer = current_viewer()
    try:
        with named_instances(viewer) as ids:
            status = _status_asked_for()
            changed = set_auth_status(viewer, ids, status, reason=request.form.get("reason", ""))
    except InvalidInputError as error:
        flash(str(error), "danger")
    else:
        _say_changed(changed, status.value)
        last = find_last_change(viewer) if changed else None
        if last:
            session["undo"] = last.isoformat()
    return back()


@blueprint.get("/authorize/matching")
@requires(Role.ADMIN)
def choose_matching() -> str:
    """Says how many instances of the list would change, and asks for the reason."""
    return _matching_page(current_address())


@blueprint.post("/authorize/matching")
@requires(Role.ADMIN)
@commits
def authorize_matching() -> ResponseReturnValue:
    """Authorize all that the list shows, or no longer: a large list in steps, each a request of its own."""
    viewer = current_viewer()
    listed = request.form.get("list", "")
    address = ListAddress.parse_query(viewer, listed)
    reason = request.form.get("reason", "")
    # In the signed cookie: a mark that anybody could send would be a time that anybody could make up.
    under_way = session.pop("bulk", {})
    try:
        status = _status_asked_for()
        is_further = under_way.get("of") == [listed, reason, status.value]
        mark = datetime.fromisoformat(under_way["mark"]) if is_further else None
        changed, mark = set_matching(viewer, address, status, reason=reason, mark=mark)
    except InvalidInputError as error:
        return _matching_page(address, reason=reason, error=str(error)), 422
    done = changed + (under_way["done"] if is_further else 0)
    left = count_changes(viewer, address.filters, status) if changed else Count(0)
    session["undo"] = mark.isoformat()
    if left:
        session["bulk"] = {"of": [listed, reason, status.value], "mark": mark.isoformat(), "done": done}
        return _matching_page(address, reason=reason, under_way=(status, done, left))
    if not done:
        session.pop("undo")
    _say_changed(done, status.value)
    return redirect(list_url(address), 303)


@blueprint.post("/authorize/undo")
@requires(Role.ADMIN)
@commits
def undo() -> ResponseReturnValue:
    """Turn round what one has just done; what was a large list in steps, too."""
    viewer = current_viewer()
    session.pop("undo", None)
    try:
        changed_at = datetime.fromisoformat(request.form.get("changed_at", "")).astimezone(UTC)
        _say_changed(undo_change(viewer, changed_at), "as before")
    except (ValueError, OverflowError):
        flash("There is nothing to undo.", "danger")
    except ConflictError as error:
        flash(str(error), "danger")
    else:
        if not is_undone(viewer, changed_at):
            flash("There is more to undo: press Undo again.", "info")
            session["undo"] = changed_at.isoformat()
    return back()


def _matching_page(
    address: ListAddress, *, reason: str = "", error: str = "", under_way: tuple[AuthStatus, int, Count] | None = None
) -> str:
    viewer = current_viewer()
    return render_template(
        "instance/matching.html",
        layout=layout_asked_for(),
        chips=chips_of(viewer, address),
        changes={status.value: count_changes(viewer, address.filters, status) for status in AuthStatus},
        search_error=address.error,
        listed=address.to_query(),
        list_url=list_url(address),
        reason=reason,
        error=error,
        under_way=under_way,
        step=MAX_STEP,
    )


def _status_asked_for() -> AuthStatus:
    asked = request.form.get("auth_status")
    found = next((status for status in AuthStatus if status.value == asked), None)
    if found is None:
        raise InvalidInputError("Say whether to authorize the instances, or no longer.", field="auth_status")
    return found


def _say_changed(count: int, what: str) -> None:
    flash(f"{plural(count, 'instance is', 'instances are')} now {what}.", "ok")


@contextmanager
def named_instances(viewer: User) -> Iterator[Collection[int]]:
    """The ids that the form names, to be acted on within; a try at somebody else's is put into the audit log."""
    ids = {id_ for id_ in map(as_id, request.form.getlist("ids")) if id_ is not None}
    try:
        yield ids
    except NotFoundError:
        db.session.rollback()
        record_refusal(viewer, ids)
        db.session.commit()
        raise


def back() -> ResponseReturnValue:
    """To where it was asked."""
    return redirect(local_path(request.form.get("next", ""), url_for("instances.index")), 303)
