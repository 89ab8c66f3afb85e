"""Masks what looks like a secret in text that is about to be logged, whoever wrote it and however it is encoded."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Any

MASK = "[masked]"
MAX_TEXT = 4000
"""Characters that are kept of one text; more is cut, after masking, so that no half of a secret survives."""

MAX_DEPTH = 6
MAX_ITEMS = 100

_NAMES = (
    r"secret|passw(?:or)?d|passphrase|passwd|pwd|token|authorization|cookie|api[_-]?key|private[_-]?key|"
    r"encryption[_-]?key|credential|signature|otp[_-]?seed"
)
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})")
_HEADER = re.compile(r"(?im)\b((?:proxy-)?authorization|(?:set-)?cookie)(['\"]?\s*[:=]\s*)[^\r\n]+")
_NAMED = re.compile(
    # Something like a name with one of those words in it, then : or =, then a value: quoted, or up to a separator.
    rf"(?i)\b([\w.-]{{0,40}}?(?:{_NAMES})(?!\w*(?:error|exception|fault))[\w-]{{0,40}}\\?['\"]?\s{{0,3}}[:=]\s{{0,3}})"
    r"(\\?\"(?:[^\"\\]|\\.)*\"?|b?'(?:[^'\\]|\\.)*'?|(?:Basic|Bearer)\s+\S+|[^\s,;&<>)\]}]+)"
)
_ELEMENT = re.compile(r"(?is)(<(\w*(?:secret|token|password)\w*)\b[^>]*>)[^<]*")
_URL_PASSWORD = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,30}://[^\s:/@]{0,200}:)[^\s/]+(@)")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_PASSWORD_HASH = re.compile(r"\$(?:argon2\w*|scrypt|2[aby])\$\S+|\b(?:scrypt|pbkdf2):[\w:]+\$\S+")
_KEY_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{8,124}(?![a-z])")

#: A commit or a SHA-1 has 40; 24 bytes and more in hex are somebody's secret, or nobody's loss.
_HEX = re.compile(r"[0-9a-f]{48,}|[0-9A-F]{48,}")
#: One character as URLs, JSON, Python or HTML escape it, and one of a random string, escaped or not.
_ESCAPED = r"%(?:25)?[0-9A-Fa-f]{2}|\\{1,2}(?:/|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2})|&#[xX]?[0-9A-Fa-f]{1,5};|&\w{2,6};"
_ESCAPE = re.compile(_ESCAPED)
_RUN = re.compile(rf"(?:[A-Za-z0-9+/=_-]|{_ESCAPED}){{40,}}")


def redact_text(text: str, limit: int = MAX_TEXT) -> str:
    """The text with secrets masked, storable in every database, and cut to `limit` characters.

    Masks values that are named (`password=...`, `"SecretAccessKey": "..."`, headers, URLs), AWS key ids down to their
    last four characters, and long runs that look random: AWS secrets and session tokens, our ciphertexts, their
    base64, hex and escaped forms.
    """
    text = text[: limit * 4]
    text = _PEM.sub(MASK, text)
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    text = _ELEMENT.sub(rf"\1{MASK}", text)
    text = _URL_PASSWORD.sub(rf"\1{MASK}\2", text)
    text = _NAMED.sub(rf"\1{MASK}", text)
    text = _PASSWORD_HASH.sub(MASK, text)
    text = _HEX.sub(MASK, text)
    text = _RUN.sub(lambda match: MASK if _looks_random(match[0]) else match[0], text)
    text = _KEY_ID.sub(lambda match: "****" + match[0][-4:], text)
    text = storable(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def redact_details(details: Mapping[str, Any]) -> dict[str, Any]:
    """The details as plain JSON values: masked by name and by look, cut in depth and length."""
    return {storable(str(name)[:64]): _redact_value(str(name), value, 1) for name, value in _first(details.items())}


def storable(text: str) -> str:
    """The text without what a database or UTF-8 refuses: NUL and lone surrogates, written as escapes."""
    return text.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _redact_value(name: str, value: object, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        # JSON has no word for NaN and the infinities, and PostgreSQL refuses them.
        return value if not isinstance(value, float) or abs(value) < float("inf") else str(value)
    if _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, bytes):
        return redact_text(repr(value))
    if isinstance(value, date | datetime):
        return value.isoformat()
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {
            storable(str(key)[:64]): _redact_value(str(key), item, depth + 1) for key, item in _first(value.items())
        }
    if depth < MAX_DEPTH and isinstance(value, list | tuple | set | frozenset):
        return [_redact_value("", item, depth + 1) for item in _first(value)]
    try:
        return redact_text(str(value))
    except Exception:
        return f"({type(value).__name__} that cannot be printed)"


def _first(items: Any) -> list[Any]:
    return [item for _, item in zip(range(MAX_ITEMS), items, strict=False)]


def _looks_random(run: str) -> bool:
    """Whether a run of 40 characters and more is a secret rather than a path, a name or a word.

    Random text changes between capitals, small letters and digits about every second character, names do so rarely.
    """
    escapes = len(_ESCAPE.findall(run))
    if escapes >= 20:
        return True  # nobody escapes harmless letters one by one
    bare = re.sub(r"[^A-Za-z0-9]", "", _ESCAPE.sub("", run))
    if len(bare) < 24:
        return False
    kinds = ["d" if char.isdigit() else "u" if char.isupper() else "l" for char in bare]
    changes = sum(first != second for first, second in pairwise(kinds))
    if "l" not in kinds:
        return "d" in kinds and changes >= 0.15 * len(bare)  # base32
    return "u" in kinds and changes >= 0.26 * len(bare)
