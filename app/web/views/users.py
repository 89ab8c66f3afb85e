"""Super admins' pages about people."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.database import commits
from app.errors import ForbiddenError, InvalidInputError
from app.models import User
from app.models.types import Role
from app.services import users
from app.web.access import current_viewer, fresh, requires
from app.web.forms.user import NewUserForm, RoleForm

blueprint = Blueprint("users", __name__, url_prefix="/users")


@blueprint.get("")
@requires(Role.SUPER_ADMIN)
def index() -> ResponseReturnValue:
    rows = users.list_users()
    sessions = users.count_live_sessions([user.id for user, _ in rows])
    return render_template("user/index.html", rows=rows, sessions=sessions)


@blueprint.get("/new")
@fresh
@requires(Role.SUPER_ADMIN)
def new() -> ResponseReturnValue:
    return render_template("user/new.html", form=NewUserForm())


@blueprint.post("")
@fresh
@requires(Role.SUPER_ADMIN)
@commits
def create() -> ResponseReturnValue:
    form = NewUserForm()
    if form.validate_on_submit():
        try:
            user, password = users.create_user(
                form.username.data or "", email=form.email.data or "", role=Role(form.role.data), actor=current_viewer()
            )
        except InvalidInputError as error:
            form[error.field or "username"].errors = [str(error)]
        else:
            # Shown in this answer and never again: a redirect would have to keep it somewhere.
            return render_template("user/password.html", user=user, password=password, is_new=True)
    return render_template("user/new.html", form=form), 422


@blueprint.get("/<int:user_id>")
@requires(Role.SUPER_ADMIN)
def show(user_id: int) -> ResponseReturnValue:
    user = users.get_user(user_id)
    return _page(user, RoleForm(role=user.role.value))


@blueprint.post("/<int:user_id>/role")
@fresh
@requires(Role.SUPER_ADMIN)
@commits
def change_role(user_id: int) -> ResponseReturnValue:
    form = RoleForm()
    user = users.get_user(user_id)
    if not form.validate_on_submit():
        return _page(user, form), 422
    try:
        users.change_role(user_id, Role(form.role.data), actor=current_viewer())
    except ForbiddenError as error:
        form.role.errors = [str(error)]
        return _page(user, form), 403
    flash(f"{user.username} is now {user.role.value.replace('_', ' ')}, and signed out everywhere.", "ok")
    return redirect(url_for("users.show", user_id=user_id), 303)


@blueprint.post("/<int:user_id>/disable")
@fresh
@requires(Role.SUPER_ADMIN)
@commits
def disable(user_id: int) -> ResponseReturnValue:
    user = users.set_enabled(user_id, False, actor=current_viewer())
    flash(f"{user.username} can no longer sign in, and is signed out everywhere.", "ok")
    return redirect(url_for("users.show", user_id=user_id), 303)


@blueprint.post("/<int:user_id>/enable")
@fresh
@requires(Role.SUPER_ADMIN)
@commits
def enable(user_id: int) -> ResponseReturnValue:
    user = users.set_enabled(user_id, True, actor=current_viewer())
    flash(f"{user.username} can sign in again.", "ok")
    return redirect(url_for("users.show", user_id=user_id), 303)


@blueprint.post("/<int:user_id>/reset-password")
@fresh
@requires(Role.SUPER_ADMIN)
@commits
def reset_password(user_id: int) -> ResponseReturnValue:
    user, password = users.reset_password(user_id, actor=current_viewer())
    return render_template("user/password.html", user=user, password=password, is_new=False)


def _page(user: User, form: RoleForm) -> str:
    return render_template("user/show.html", user=user, form=form, is_self=user.id == current_viewer().id)
