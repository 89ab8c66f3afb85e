"""The links that lead through the console, by role, and what else every page's frame needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, g, request, url_for

from app.models import User
from app.models.types import Role
from app.services.instances.changes import BADGE_CAP, count_unseen
from app.web.access import find_viewer, is_partial_request, settings

#: `auto` follows the operating system.
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Item:
    """A link of the navigation; `icon` is a name in the icon sprite."""

    label: str
    url: str
    icon: str
    is_current: bool
    count: str | None = None


#: Label, endpoint, icon, least role. The order is that of the page.
PLACES = (
    ("Overview", "dashboard.index", "layout-dashboard", Role.CLIENT),
    ("Accounts", "accounts.index", "cloud", Role.CLIENT),
    ("Instances", "instances.index", "server-2", Role.CLIENT),
    ("Changes", "changes.index", "history", Role.CLIENT),
    ("Rules", "rules.index", "shield-check", Role.CLIENT),
    ("Optimization", "experiments.index", "chart-line", Role.CLIENT),
    ("Uptime", "downtime.index", "activity", Role.CLIENT),
    ("System logs", "system_logs.index", "list-details", Role.ADMIN),
    ("Users", "users.index", "users", Role.SUPER_ADMIN),
)


def navigation(viewer: User | None) -> list[Item]:
    """What this viewer may open, with the place of the present page marked."""
    if viewer is None or viewer.password_expires_at is not None:
        return []
    places = [
        (label, url_for(endpoint), icon)
        for label, endpoint, icon, role in PLACES
        if viewer.can(role) and endpoint in current_app.view_functions
    ]
    counts = {"Changes": _unseen(viewer)}
    return [Item(label, url, icon, is_current=_is_within(url), count=counts.get(label)) for label, url, icon in places]


def _unseen(viewer: User) -> str | None:
    """How many changes the viewer has not seen; not asked for a part of a page, which has no navigation."""
    count = 0 if is_partial_request() else count_unseen(viewer)
    return None if not count else f"{BADGE_CAP}+" if count > BADGE_CAP else str(count)


def _is_within(place: str) -> bool:
    """Whether the present page is that place, or below it: /accounts/1/runs is among the accounts."""
    return request.path == place or (place != "/" and request.path.startswith(f"{place}/"))


def theme() -> str:
    """The theme chosen in this browser."""
    chosen = request.cookies.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


def event_endpoint() -> str:
    """Where AWS sends events; empty where it cannot reach this installation."""
    public_url = settings().public_url
    return f"{public_url}{url_for('events.receive')}" if public_url else ""


def home_url() -> str:
    """The overview, where signing in leads."""
    return url_for("dashboard.index") if "dashboard.index" in current_app.view_functions else "/"


def register_navigation(app: Flask) -> None:
    """Give every template the viewer, the navigation, the theme and `can(role)`."""

    @app.context_processor
    def frame() -> dict[str, Any]:
        # The page that says "the database does not answer" must not ask the database who is looking.
        viewer = None if g.get("is_without_viewer") else find_viewer()
        can: Callable[[str], bool] = lambda role: viewer is not None and viewer.can(Role(role))  # noqa: E731 - its type is the annotation
        return {
            "viewer": viewer,
            "navigation": navigation(viewer),
            "theme": theme(),
            "home_url": home_url(),
            "theme_url": url_for("me.theme"),
            "me_url": url_for("me.show"),
            "sign_out_url": url_for("auth.sign_out"),
            "can": can,
        }
