"""What every answer carries: a request id, the content security policy, and who may keep a copy."""

import hashlib
import re
import secrets
import uuid
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, request, url_for

from app.config import Config
from app.services import system_logs

#: Nothing from any other host and nothing inline: a value that slips into a page unescaped still runs nowhere.
POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self'"
)

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
        "microphone=(), payment=(), usb=()"
    ),
}

TWO_YEARS = 63_072_000
LONG = "public, max-age=31536000, immutable"
SHORT = "public, max-age=300"


def register_headers(app: Flask, config: Config) -> None:
    """Give every request an id and every answer its headers. Comes before whatever may answer a request."""
    app.before_request(begin_request)
    app.after_request(lambda response: finish_response(response, is_https=config.secure_cookies))
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.jinja_env.globals["static_url"] = static_url
    app.url_defaults(_add_content_hash)


def begin_request() -> None:
    """A fresh id, ours and never the client's, under which everything this request logs is found."""
    g.request_id = uuid.uuid4().hex
    g.nonce = secrets.token_urlsafe(16)
    system_logs.request_id.set(g.request_id)
    system_logs.acting_user_id.set(None)
    system_logs.acting_account_id.set(None)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def request_id() -> str:
    """The id of this request."""
    if "request_id" not in g:
        begin_request()
    found: str = g.request_id
    return found


def csp_nonce() -> str:
    """The value that lets a <script> of this very answer run."""
    request_id()
    found: str = g.nonce
    return found


def finish_response(response: Response, *, is_https: bool) -> Response:
    """Add the headers; only a static file may be kept, by anybody."""
    response.headers.update(HEADERS)
    response.headers["X-Request-ID"] = request_id()
    response.headers["Content-Security-Policy"] = POLICY.format(nonce=csp_nonce())
    if is_https:
        response.headers["Strict-Transport-Security"] = f"max-age={TWO_YEARS}; includeSubDomains"
    if request.endpoint == "static" and response.status_code < 400:
        response.headers["Cache-Control"] = LONG if request.args.get("v") else SHORT
        return response
    # Pages, fragments, exports and errors are for one person at one moment.
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response


# --- static files, cached for a year under the hash of what they hold ----------------------------------------


def static_url(filename: str) -> str:
    """The address of a file in app/static/, which changes when the file does."""
    return url_for("static", filename=filename)


def _add_content_hash(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint == "static" and "v" not in values and (name := values.get("filename")):
        found = content_hash(Path(current_app.static_folder or ""), name, is_kept=not current_app.debug)
        if found:
            values["v"] = found


def content_hash(folder: Path, name: str, *, is_kept: bool) -> str:
    """The first 12 hex digits of the file's SHA-256; empty when there is no such file."""
    return _kept_hash(folder / name) if is_kept else _hash(folder / name)


def _hash(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    if path.suffix == ".css":
        # A style sheet imports others by plain names: its own address changes with any of theirs.
        content += b"".join(
            _hash(path.parent / found.decode()).encode()
            for found in re.findall(rb"@import\s+(?:url\()?[\"']([^\"':?]+)", content)
        )
    return hashlib.sha256(content).hexdigest()[:12]


_kept_hash = lru_cache(maxsize=1024)(_hash)
