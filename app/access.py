"""What a view declares about who may open it; `web/access.py` enforces it for every door alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from app.models.types import Role

P = ParamSpec("P")
R = TypeVar("R")
View = Callable[P, R]


@dataclass(frozen=True, slots=True)
class Access:
    """What a view declares: the least role, or None for everybody."""

    role: Role | None
    is_fresh: bool = False
    """Whether the password must have been typed lately."""
    allows_expired_password: bool = False
    """Whether it may be opened while an initial password still has to be changed."""
    has_own_credential: bool = False
    """Whether the view itself checks a credential that no browser adds by itself: then nothing can be forged, and
    neither an origin nor a CSRF token is asked for."""


def public(view: View[P, R]) -> View[P, R]:
    """Anybody may open this page, signed in or not."""
    return _declare(view, Access(role=None))


def by_token(view: View[P, R]) -> View[P, R]:
    """For machines: the view checks the secret that each request carries, and looks at no cookie."""
    return _declare(view, Access(role=None, has_own_credential=True))


def requires(role: Role, *, even_with_expired_password: bool = False) -> Callable[[View[P, R]], View[P, R]]:
    """Only signed-in users whose role includes this one may open this page."""

    def declare(view: View[P, R]) -> View[P, R]:
        return _declare(view, Access(role=role, allows_expired_password=even_with_expired_password))

    return declare


def fresh(view: View[P, R]) -> View[P, R]:
    """The password must have been typed within 15 minutes. Goes above `@requires(...)`."""
    access = access_of(view)
    if access is None or access.role is None:
        raise RuntimeError(f"{view.__name__}: put @fresh above @requires(Role.X)")
    return _declare(view, Access(access.role, is_fresh=True, allows_expired_password=access.allows_expired_password))


def access_of(view: Callable[..., Any]) -> Access | None:
    """What the view declared, if it did."""
    return getattr(view, "access", None)


def _declare(view: View[P, R], access: Access) -> View[P, R]:
    view.access = access  # type: ignore[attr-defined]
    return view
