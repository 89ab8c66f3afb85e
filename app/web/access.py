"""Who may open which page: declared on the view (`app/access.py`), enforced for all of them in one place.

Whose rows are shown is not decided here but in the service's query (`services/scope.py`).
"""

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, make_response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from werkzeug.exceptions import Unauthorized

from app.access import Access, access_of, fresh, public, requires
from app.config import Config
from app.database import expect_reads_only
from app.extensions import login_manager
from app.models import User, UserSession
from app.models.mixins import utc_now
from app.models.types import Role
from app.services import system_logs
from app.services.sessions import find_session, touch_session
from app.web.addresses import local_path
from app.web.csrf import csrf

__all__ = [
    "current_session",
    "current_viewer",
    "enforce",
    "find_viewer",
    "fresh",
    "is_partial_request",
    "public",
    "register_access",
    "requires",
    "settings",
    "sign_in_address",
]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: A dangerous act asks for the password again when it was last typed longer ago than this.
FRESH_FOR = timedelta(minutes=15)


# --- the viewer --------------------------------------------------------------------------------------------


def find_viewer() -> User | None:
    """Who is signed in, if anybody."""
    return current_user._get_current_object() if current_user and current_user.is_authenticated else None


def current_viewer() -> User:
    """Who is signed in; for views that require a role."""
    viewer = find_viewer()
    if viewer is None:
        raise Unauthorized
    return viewer


def current_session() -> UserSession:
    """The signed-in browser's session row."""
    current_viewer()
    found: UserSession = g.user_session
    return found


def settings() -> Config:
    """The installation's settings."""
    config: Config = current_app.extensions["spotkeeper"]
    return config


def _load_user(user_id: str) -> User | None:
    """Flask-Login's question: whose session is this? The signed cookie alone is not believed."""
    token = session.get("token")
    if not (isinstance(token, str) and user_id.isdecimal()):
        return None
    found = find_session(token, user_id=int(user_id), idle_seconds=settings().session_idle_seconds)
    if found is None:
        return None
    g.user_session = found
    system_logs.acting_user_id.set(found.user_id)
    if request.method in SAFE_METHODS:
        touch_session(found)
    return found.user


# --- enforcement -------------------------------------------------------------------------------------------


def register_access(app: Flask) -> None:
    """Check every request before its view: role, origin, CSRF token, freshness."""
    login_manager.user_loader(_load_user)
    # The session is a row that can be revoked; a changed address or browser alone does not end it.
    login_manager.session_protection = None
    # Checked by `enforce`, after the role: a stranger learns nothing from a token's absence.
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False
    app.config["WTF_CSRF_SSL_STRICT"] = False  # `_refuse_foreign_origin` does this, also for http
    public(app.view_functions["static"])
    app.before_request(enforce)
    # The thread may do something else next.
    app.teardown_request(lambda _error: expect_reads_only(False))


def enforce() -> ResponseReturnValue | None:
    """Refuse what the view's declaration does not allow; an undeclared view is refused to everybody."""
    is_safe = request.method in SAFE_METHODS
    expect_reads_only(is_safe)
    if request.endpoint is None:
        return None  # no such page, or not with this method: the router's own answer follows
    access = access_of(current_app.view_functions[request.endpoint])
    if access is None:
        if current_app.testing:
            raise RuntimeError(f"{request.endpoint} declares no access: add @public or @requires(Role.X)")
        abort(403)
    if access.role is not None:
        refusal = _refuse_viewer(access, access.role, is_safe=is_safe)
        if refusal is not None:
            return refusal
    if not is_safe and not access.has_own_credential:
        _refuse_foreign_origin()
        csrf.protect()
    return None


def _refuse_viewer(access: Access, role: Role, *, is_safe: bool) -> ResponseReturnValue | None:
    viewer = find_viewer()
    if viewer is None:
        if is_safe and not is_partial_request():
            return redirect(url_for("auth.sign_in", next=request.full_path.rstrip("?")))
        raise Unauthorized(response=None)
    if not viewer.can(role):
        abort(403)
    if viewer.password_expires_at is not None and not access.allows_expired_password:
        return _send_to(url_for("me.password"))
    if access.is_fresh and utc_now() - current_session().confirmed_at > FRESH_FOR:
        return _send_to(url_for("me.confirm", next=_page_of_request(is_safe)))
    return None


def is_partial_request() -> bool:
    """Whether htmx asks for a part of a page: a redirect would end up inside the part."""
    return request.headers.get("HX-Request") == "true"


def sign_in_address() -> str:
    """Where a partial request of an anonymous viewer sends the whole page."""
    return url_for("auth.sign_in", next=_page_of_request(is_safe=False))


def _send_to(address: str) -> ResponseReturnValue:
    if is_partial_request():
        return make_response("", 200, {"HX-Redirect": address})
    return redirect(address, 303)


def _page_of_request(is_safe: bool) -> str:
    """The page to come back to: this one, or for an act the page that it was started from."""
    if is_safe and not is_partial_request():
        return request.full_path.rstrip("?")
    origin = request.headers.get("HX-Current-URL") or request.referrer or ""
    parts = urlsplit(origin)
    if parts.netloc != request.host:
        return url_for("dashboard.index") if "dashboard.index" in current_app.view_functions else "/"
    return local_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def _refuse_foreign_origin() -> None:
    """Beside the token: a browser says where an unsafe request comes from, and it must be here.

    Host and port are compared, not the scheme: a proxy that ends TLS may not tell us that it does.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in {"same-origin", "none"}:
        abort(400, "This request came from another site.")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
        abort(400, "This request came from another site.")
