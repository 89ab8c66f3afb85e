"""The token of every form, written differently in every answer.

Answers are compressed, and how well they compress tells what stands in them twice: somebody who can have a browser ask
for our pages, and who sees how long the answers are, could find out letter by letter what stands in all of them
(BREACH). So the token never stands there itself, but a random text of its length and the difference of the two.
"""

import base64
import binascii
import secrets

from flask import Flask, g
from flask_wtf import CSRFProtect
from flask_wtf.csrf import generate_csrf

#: No token begins with it.
MARK = "~"


class MaskedCsrf(CSRFProtect):  # type: ignore[misc]  # Flask-WTF has no types
    """Takes both: tokens as forms of ours have them, and unmasked ones, which are as hard to come by."""

    def init_app(self, app: Flask) -> None:
        super().init_app(app)
        app.jinja_env.globals["csrf_token"] = masked_token
        app.context_processor(lambda: {"csrf_token": masked_token})

    def _get_csrf_token(self) -> str | None:
        token: str | None = super()._get_csrf_token()
        return unmask(token) if token and token.startswith(MARK) else token


csrf = MaskedCsrf()


def masked_token() -> str:
    """The session's token for one answer; the same in all its forms, for each is compressed against the others."""
    if "masked_csrf_token" not in g:
        g.masked_csrf_token = mask(generate_csrf())
    found: str = g.masked_csrf_token
    return found


def mask(token: str) -> str:
    """Some text of which `unmask` makes the token again; another one each time."""
    plain = token.encode()
    noise = secrets.token_bytes(len(plain))
    return MARK + base64.urlsafe_b64encode(noise + _difference(noise, plain)).decode()


def unmask(text: str) -> str:
    """The token; what is none of ours becomes an empty one, which is as wrong as any."""
    try:
        both = base64.b64decode(text.removeprefix(MARK), altchars=b"-_", validate=True)
        middle = len(both) // 2
        return _difference(both[:middle], both[middle:]).decode()
    except (binascii.Error, ValueError):
        return ""


def _difference(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))
