"""What a log record says, masked, and how it reads on stderr: for people, or as JSON. A value cannot forge a line."""

import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from app.models.types import LogLevel
from app.services.redaction import redact_details, redact_text
from app.services.system_logs import COMPONENT_LENGTH, REQUEST_ID_LENGTH, acting_account_id, acting_user_id, request_id

MAX_TRACEBACK = 16_000

#: What the logging module itself puts on a record; anything beyond was given by `extra=`.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "_logger", "_name"}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line as it may be shown and stored."""

    logged_at: datetime
    component: str
    level: LogLevel
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    exception: str = ""
    user_id: int | None = None
    account_id: int | None = None
    request_id: str = ""


def read_record(record: logging.LogRecord) -> LogLine:
    """The record in our terms, secrets masked.

    `user_id` and `account_id` (our ids, as ints) and `request_id` may be given with the line; otherwise they are those
    of the request or job under way.
    """
    if isinstance(record.msg, dict):  # structlog's
        details = dict(record.msg)
        message = str(details.pop("event", ""))
    else:
        message = _message(record)
        details = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    details.pop("level", None)
    user_id = _take_id(details, "user_id", acting_user_id.get())
    account_id = _take_id(details, "account_id", acting_account_id.get())
    own_request_id = str(details.pop("request_id", "") or request_id.get())
    exc_info = details.pop("exc_info", None) or record.exc_info
    exception = str(details.pop("exception", "")) or _traceback(exc_info)
    return LogLine(
        logged_at=datetime.fromtimestamp(record.created, UTC),
        component=component_of(record.name),
        level=_level(record.levelno),
        message=redact_text(message),
        details=redact_details(details),
        exception=redact_text(exception, MAX_TRACEBACK),
        user_id=user_id,
        account_id=account_id,
        request_id=redact_text(own_request_id, REQUEST_ID_LENGTH),
    )


def component_of(logger_name: str) -> str:
    """`discovery` for `app.services.discovery.inventory`, `web` for `app.web.views.auth`, others' names as they are."""
    parts = logger_name.split(".")
    if parts[0] not in {"app", "spotkeeper"}:
        return logger_name[:COMPONENT_LENGTH]
    parts = parts[1:]
    if parts[:1] == ["services"] and len(parts) > 1:
        parts = parts[1:]
    return (parts[0] if parts else "app")[:COMPONENT_LENGTH]


class LineFormatter(logging.Formatter):
    """Formats a record by one of the functions below."""

    def __init__(self, render: Callable[[LogLine], str]) -> None:
        super().__init__()
        self.render = render

    def format(self, record: logging.LogRecord) -> str:
        return self.render(read_record(record))


def render_json(line: LogLine) -> str:
    """One JSON object a line; everything but ASCII is escaped, so that no character breaks a line."""
    facts: dict[str, Any] = {
        "time": line.logged_at.isoformat(),
        "level": line.level.value,
        "component": line.component,
        "message": line.message,
        **_references(line),
    }
    if line.details:
        facts["details"] = line.details
    if line.exception:
        facts["exception"] = line.exception
    return json.dumps(facts, default=str)


def render_console(line: LogLine) -> str:
    """`time LEVEL component: message key=value`, and a traceback below it with every line indented."""
    head = f"{line.logged_at:%Y-%m-%dT%H:%M:%S.%f}Z {line.level.value.upper():<7} {printable(line.component)}:"
    facts = {**line.details, **_references(line)}
    pairs = "".join(f" {printable(str(name))}={_quoted(value)}" for name, value in facts.items())
    text = f"{head} {printable(line.message)}{pairs}"
    if not line.exception:
        return text
    # A genuine line begins with its time in the first column; what an exception says never does.
    return "\n".join([text, *(f"    | {printable(part)}" for part in line.exception.split("\n"))])


def printable(text: str) -> str:
    """The text with line breaks, terminal codes, direction marks and other invisible characters written out."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text
    )


def _quoted(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = printable(text)
    plain = text and not isinstance(value, list | dict) and not any(char in text for char in " =\"'")
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _references(line: LogLine) -> dict[str, Any]:
    found = {"user_id": line.user_id, "account_id": line.account_id, "request_id": line.request_id}
    return {name: value for name, value in found.items() if value}


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit, or cannot be printed: the line is still worth having
        return f"{record.msg} (its arguments could not be printed)"


def _take_id(details: dict[str, Any], name: str, otherwise: int | None) -> int | None:
    # AWS's account id goes by the same name, as text: that one stays among the details.
    if isinstance(details.get(name), int):
        return int(details.pop(name))
    return otherwise


def _level(levelno: int) -> LogLevel:
    if levelno >= logging.ERROR:
        return LogLevel.ERROR
    if levelno >= logging.WARNING:
        return LogLevel.WARNING
    return LogLevel.INFO if levelno >= logging.INFO else LogLevel.DEBUG


def _traceback(exc_info: Any) -> str:
    if not exc_info:
        return ""
    error = exc_info if isinstance(exc_info, BaseException) else exc_info[1] if isinstance(exc_info, tuple) else None
    return "" if error is None else "".join(traceback.format_exception(error)).rstrip()
