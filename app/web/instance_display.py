"""How somebody likes to look at the list of instances: columns, density, rows on a page, keys.

Kept in a cookie: what fits a wide screen does not fit a phone, so it belongs to the browser, and no page has to ask the
database for it. An address that names its columns shows those, and the cookie stays as it is: a link that somebody
sends does not change what one is used to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from flask import Response, request

from app.services.instances.columns import DEFAULT_COLUMNS, TAG, parse_columns
from app.services.paging import PAGE_SIZE
from app.web.access import settings

COOKIE = "instances"
ONE_YEAR = 31_536_000
SIZES = (25, PAGE_SIZE, 100, 200)
DENSITIES = ("compact", "comfortable")

#: A browser keeps no larger cookie.
MAX_LENGTH = 3000


@dataclass(frozen=True, slots=True)
class Display:
    columns: tuple[str, ...] = DEFAULT_COLUMNS
    density: str = DENSITIES[0]
    size: int = PAGE_SIZE
    has_keys: bool = True
    """Whether single keys do something (WCAG 2.1.4: it can be switched off)."""

    @classmethod
    def parse(cls, params: Mapping[str, Sequence[str]]) -> "Display":
        """From a form, or from what the cookie holds; nonsense is the default."""

        def first(name: str) -> str:
            return next(iter(params.get(name, ())), "")

        tags = [TAG + text.strip() for text in first("tags").split(",") if text.strip()]
        density, size = first("density"), first("size")
        return cls(
            columns=parse_columns((*params.get("column", ()), *tags)) or DEFAULT_COLUMNS,
            density=density if density in DENSITIES else DENSITIES[0],
            size=int(size) if size in map(str, SIZES) else PAGE_SIZE,
            has_keys=first("keys") != "off",
        )

    def remember(self, response: Response) -> None:
        """Put it into the answer's cookie; one that is too large for a cookie is not kept."""
        text = urlencode(
            {
                "column": self.columns,
                "density": self.density,
                "size": self.size,
                "keys": "on" if self.has_keys else "off",
            },
            doseq=True,
        )
        if len(text) <= MAX_LENGTH:
            response.set_cookie(
                COOKIE, text, max_age=ONE_YEAR, secure=settings().secure_cookies, httponly=True, samesite="Lax"
            )


def current_display() -> Display:
    """What this browser is used to."""
    return Display.parse(parse_qs(request.cookies.get(COOKIE, "")[:MAX_LENGTH]))
