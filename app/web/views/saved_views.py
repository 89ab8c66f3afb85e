"""Pages about saved views: opening, saving, sharing, and the one that the list opens with."""

from dataclasses import replace

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.database import commits
from app.errors import ConflictError, InvalidInputError
from app.models import SavedView
from app.models.types import Role
from app.services import saved_views
from app.services.instances.address import EVERYTHING, ListAddress
from app.services.instances.filters import as_id
from app.web.access import current_viewer, requires
from app.web.forms.saved_view import NewViewForm, ViewForm
from app.web.views.instances import current_address, layout_asked_for, list_url

blueprint = Blueprint("saved_views", __name__, url_prefix="/views")


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    return render_template(
        "saved_view/index.html",
        views=saved_views.list_views(current_viewer()),
        may_share=bool(saved_views.roles_to_share_with(current_viewer())),
        deleted_id=session.pop("deleted_view", None),
    )


@blueprint.get("/choose")
@requires(Role.CLIENT)
def choose() -> str:
    """The views to go to from a list, and a name for the list itself."""
    viewer, address = current_viewer(), current_address()
    views = saved_views.list_views(viewer)
    here = next((view for view in views if view.id == address.view), None)
    return render_template(
        "saved_view/choose.html",
        layout=layout_asked_for(),
        views=views,
        here=here,
        is_changed=here is not None and address.to_query() != here.query,
        query=address.to_query(),
        everything_url=list_url(ListAddress(view=EVERYTHING)),
        list_url=list_url(address),
        form=NewViewForm(formdata=None, query=address.to_query()),
        error=address.error,
    )


@blueprint.post("")
@requires(Role.CLIENT)
@commits
def create() -> ResponseReturnValue:
    """Give the address that the list was at a name."""
    form = NewViewForm()
    if form.validate_on_submit():
        viewer = current_viewer()
        try:
            view = saved_views.save_view(viewer, form.name.data or "", _query(form.query.data), shared_with=form.role)
        except InvalidInputError as error:
            form[error.field or "name"].errors = [str(error)]
        else:
            if form.is_default.data:
                saved_views.choose_default_view(viewer, view.id)
            flash(f"Saved as “{view.name}”.", "ok")
            return redirect(_address(view), 303)
    return render_template("saved_view/new.html", form=form), 422


@blueprint.get("/<int:view_id>")
@requires(Role.CLIENT)
def show(view_id: int) -> ResponseReturnValue:
    """The list, as this view has it."""
    return redirect(_address(saved_views.get_view(current_viewer(), view_id)))


@blueprint.get("/<int:view_id>/edit")
@requires(Role.CLIENT)
def edit(view_id: int) -> ResponseReturnValue:
    view = saved_views.get_own_view(current_viewer(), view_id)
    form = ViewForm(name=view.name, shared_with=view.shared_with.value if view.shared_with else "")
    return render_template("saved_view/edit.html", view=view, form=form)


@blueprint.post("/<int:view_id>")
@requires(Role.CLIENT)
@commits
def update(view_id: int) -> ResponseReturnValue:
    form = ViewForm()
    view = saved_views.get_own_view(current_viewer(), view_id)
    if form.validate_on_submit():
        try:
            saved_views.change_view(current_viewer(), view_id, name=form.name.data or "", shared_with=form.role)
        except InvalidInputError as error:
            form[error.field or "name"].errors = [str(error)]
        else:
            flash("Saved.", "ok")
            return redirect(url_for("saved_views.index"), 303)
    return render_template("saved_view/edit.html", view=view, form=form), 422


@blueprint.post("/<int:view_id>/query")
@requires(Role.CLIENT)
@commits
def keep(view_id: int) -> ResponseReturnValue:
    """Have one's own view show what the list shows now."""
    try:
        view = saved_views.replace_query(current_viewer(), view_id, _query(request.form.get("query")))
    except InvalidInputError as error:
        flash(str(error), "danger")
        return redirect(url_for("saved_views.index"), 303)
    flash(f"“{view.name}” now shows this.", "ok")
    return redirect(_address(view), 303)


@blueprint.post("/<int:view_id>/delete")
@requires(Role.CLIENT)
@commits
def delete(view_id: int) -> ResponseReturnValue:
    view = saved_views.delete_view(current_viewer(), view_id)
    session["deleted_view"] = view.id
    flash(f"“{view.name}” is deleted.", "ok")
    return redirect(url_for("saved_views.index"), 303)


@blueprint.post("/<int:view_id>/restore")
@requires(Role.CLIENT)
@commits
def restore(view_id: int) -> ResponseReturnValue:
    try:
        view = saved_views.restore_view(current_viewer(), view_id)
    except ConflictError as error:
        flash(str(error), "danger")
    else:
        flash(f"“{view.name}” is back.", "ok")
    return redirect(url_for("saved_views.index"), 303)


@blueprint.post("/default")
@requires(Role.CLIENT)
@commits
def choose_default() -> ResponseReturnValue:
    """Say what the list opens with: a view, or without one everything."""
    view = saved_views.choose_default_view(current_viewer(), as_id(request.form.get("view_id", "")))
    flash(f"The list opens with “{view.name}”." if view else "The list opens with everything.", "ok")
    return redirect(url_for("saved_views.index"), 303)


def _query(text: str | None) -> str:
    """The address as we would write it, whatever was sent; one with a search that cannot be read is kept as it is."""
    return ListAddress.parse_query(current_viewer(), text or "").to_query()


def _address(view: SavedView) -> str:
    # As it is read now: a name that is no filter any more is not carried along.
    return list_url(replace(ListAddress.parse_query(current_viewer(), view.query), view=view.id))
