"""Signing in and out."""

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import login_user, logout_user

from app.database import commits
from app.models import User
from app.services import system_logs
from app.services.sessions import end_session, start_session
from app.services.sign_in import SignInRefusedError, TooManyTriesError
from app.services.sign_in import sign_in as check_sign_in
from app.web.access import current_session, find_viewer, public, settings
from app.web.addresses import local_path
from app.web.forms.auth import SignInForm
from app.web.navigation import home_url

blueprint = Blueprint("auth", __name__)


@blueprint.get("/sign-in")
@public
def sign_in() -> ResponseReturnValue:
    if find_viewer() is not None:
        return redirect(local_path(request.args.get("next"), home_url()), 303)
    return _page(SignInForm())


@blueprint.post("/sign-in")
@public
@commits
def submit_sign_in() -> ResponseReturnValue:
    form = SignInForm()
    if not form.validate_on_submit():
        return _page(form), 422
    ip_address = request.remote_addr or ""
    try:
        user = check_sign_in(form.username.data or "", form.password.data or "", ip_address=ip_address)
    except SignInRefusedError as error:
        form.form_errors.append(str(error))
        return _page(form), 422
    except TooManyTriesError as error:
        form.form_errors.append(str(error))
        return _page(form), 429, {"Retry-After": str(error.retry_after_seconds)}
    begin_session(user)
    return redirect(local_path(request.form.get("next"), home_url()), 303)


@blueprint.post("/sign-out")
@public
@commits
def sign_out() -> ResponseReturnValue:
    """Also for somebody whose session has ended already: the wish is fulfilled either way."""
    viewer = find_viewer()
    if viewer is not None:
        end_session(current_session())
        system_logs.record("audit", "Signed out", user=viewer)
    logout_user()
    session.clear()
    flash("You are signed out.", "ok")
    return redirect(url_for("auth.sign_in"), 303)


def begin_session(user: User) -> None:
    """A new session for this browser: the one before ends, and nothing that it held is kept, so none can be planted."""
    if find_viewer() is not None:
        end_session(current_session())
    session.clear()
    _, token = start_session(
        user,
        lifetime_seconds=settings().session_lifetime_seconds,
        ip_address=request.remote_addr or "",
        user_agent=request.user_agent.string,
    )
    session["token"] = token
    session.permanent = True
    login_user(user)


def _page(form: SignInForm) -> str:
    next_url = local_path(request.values.get("next"), "")
    return render_template("auth/sign_in.html", form=form, next_url=next_url)
