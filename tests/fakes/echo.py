"""A small WSGI application, for what is between clients and the real one: `gunicorn tests.fakes.echo:app`."""

from collections.abc import Callable, Iterable
from typing import Any

#: More than the system keeps of an answer that nobody takes.
LARGE_BYTES = 12 * 1024 * 1024


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """`/large` answers much, all else the number of bytes that were sent."""
    if environ["PATH_INFO"] == "/large":
        body = b"x" * LARGE_BYTES
    elif int(environ.get("CONTENT_LENGTH") or 0) > 1024 * 1024:
        start_response("413 Request Entity Too Large", [("Content-Length", "0")])
        return []
    else:
        body = str(len(environ["wsgi.input"].read())).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
