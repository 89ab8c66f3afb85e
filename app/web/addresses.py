"""Addresses that come from outside and are followed only when they stay on this host."""

import re
from urllib.parse import urlsplit

#: One slash, then no second one and no backslash (which browsers read as a slash), and no control characters or
#: spaces anywhere (which browsers drop before they look).
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]*", re.ASCII)


def local_path(text: str | None, default: str = "/") -> str:
    """The path and query when they are of this host, else the default: never an open redirect."""
    if not text or len(text) > 2000 or not _LOCAL.fullmatch(text):
        return default
    try:
        parts = urlsplit(text)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else text
