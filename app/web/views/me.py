"""One's own page: profile, password, signed-in browsers, theme; and typing the password again."""

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.database import commits
from app.errors import InvalidInputError
from app.models.types import Role
from app.services import system_logs
from app.services.sessions import confirm_session, list_sessions, revoke_session, revoke_sessions
from app.services.sign_in import SignInRefusedError, TooManyTriesError, confirm_password
from app.services.users import change_password, change_time_zone
from app.web.access import current_session, current_viewer, public, requires, settings
from app.web.addresses import local_path
from app.web.forms.auth import ConfirmForm, PasswordForm
from app.web.forms.user import ProfileForm
from app.web.navigation import THEMES, home_url
from app.web.views.auth import begin_session

blueprint = Blueprint("me", __name__)

ONE_YEAR = 31_536_000


@blueprint.get("/me")
@requires(Role.CLIENT)
def show() -> ResponseReturnValue:
    return _page(ProfileForm(obj=current_viewer()))


@blueprint.post("/me")
@requires(Role.CLIENT)
@commits
def update() -> ResponseReturnValue:
    form = ProfileForm()
    if not form.validate_on_submit():
        return _page(form), 422
    change_time_zone(current_viewer(), form.time_zone.data)
    flash("Saved.", "ok")
    return redirect(url_for("me.show"), 303)


@blueprint.get("/me/password")
@requires(Role.CLIENT, even_with_expired_password=True)
def password() -> ResponseReturnValue:
    return render_template("me/password.html", form=PasswordForm())


@blueprint.post("/me/password")
@requires(Role.CLIENT, even_with_expired_password=True)
@commits
def update_password() -> ResponseReturnValue:
    form = PasswordForm()
    if form.validate_on_submit() and form.password.data != form.repeated.data:
        form.repeated.errors = ["This is not the same password."]
    elif not form.errors:
        viewer = current_viewer()
        try:
            confirm_password(viewer, form.current.data or "", ip_address=request.remote_addr or "")
            change_password(viewer, form.password.data or "")
        except SignInRefusedError:
            form.current.errors = ["This is not your current password."]
        except TooManyTriesError as error:
            form.current.errors = [str(error)]
        except InvalidInputError as error:
            form[error.field or "password"].errors = [str(error)]
        else:
            begin_session(viewer)
            flash("Your password is changed, and every other browser is signed out.", "ok")
            return redirect(home_url(), 303)
    return render_template("me/password.html", form=form), 422


@blueprint.get("/me/confirm")
@requires(Role.CLIENT)
def confirm() -> ResponseReturnValue:
    """The password again, before a dangerous act."""
    return _confirm_page(ConfirmForm())


@blueprint.post("/me/confirm")
@requires(Role.CLIENT)
@commits
def submit_confirm() -> ResponseReturnValue:
    form = ConfirmForm()
    if not form.validate_on_submit():
        return _confirm_page(form), 422
    try:
        confirm_password(current_viewer(), form.password.data or "", ip_address=request.remote_addr or "")
    except SignInRefusedError:
        form.password.errors = ["This is not your password."]
        return _confirm_page(form), 422
    except TooManyTriesError as error:
        form.password.errors = [str(error)]
        return _confirm_page(form), 429, {"Retry-After": str(error.retry_after_seconds)}
    confirm_session(current_session())
    return redirect(local_path(request.form.get("next"), home_url()), 303)


@blueprint.post("/me/sessions/<int:session_id>/revoke")
@requires(Role.CLIENT)
@commits
def revoke(session_id: int) -> ResponseReturnValue:
    viewer = current_viewer()
    revoke_session(viewer, session_id)
    system_logs.record("audit", "Session ended", user=viewer, session_id=session_id)
    flash("That browser is signed out.", "ok")
    return redirect(url_for("me.show"), 303)


@blueprint.post("/me/sessions/revoke-others")
@requires(Role.CLIENT)
@commits
def revoke_others() -> ResponseReturnValue:
    viewer = current_viewer()
    revoke_sessions(viewer, keep=current_session())
    system_logs.record("audit", "All other sessions ended", user=viewer)
    flash("Every other browser is signed out.", "ok")
    return redirect(url_for("me.show"), 303)


@blueprint.post("/theme")
@public
def theme() -> ResponseReturnValue:
    """Kept in a cookie of its own: it belongs to the browser, and is known before anybody signs in."""
    chosen = request.form.get("theme", "")
    response = make_response(redirect(local_path(request.form.get("next"), home_url()), 303))
    if chosen in THEMES:
        response.set_cookie(
            "theme", chosen, max_age=ONE_YEAR, secure=settings().secure_cookies, httponly=False, samesite="Lax"
        )
    return response


def _page(form: ProfileForm) -> str:
    sessions = list_sessions(current_viewer(), idle_seconds=settings().session_idle_seconds)
    return render_template("me/show.html", form=form, sessions=sessions, current=current_session())


def _confirm_page(form: ConfirmForm) -> str:
    return render_template("me/confirm.html", form=form, next_url=local_path(request.values.get("next"), home_url()))
