"""Faults on request: what a test may have the simulated AWS do instead of answering, or to its answer.

A fault says which calls it is for and what happens to them; the first that matches is used.
"""

import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from demo.aws.answers import Answer, RefusalError
from demo.aws.calls import Call
from demo.aws.hostile import CHANGED, INSTEAD, first_reservation, with_reservation

#: Asking for the page behind this token gives the first page again.
LOOP_TOKEN = "the-same-page-for-ever"  # noqa: S105 - no secret

KINDS = frozenset(
    {
        "throttle",  # RequestLimitExceeded, 503
        "server_error",  # InternalError, 500
        "denied",  # UnauthorizedOperation, as where a policy lacks the action
        "expired_token",  # as if the session had ended
        "error",  # `code`, `message`, `status` of your choice
        "token_loop",  # each page names itself as the next
        "hang",  # the right answer after `seconds`
        "drip",  # the right answer, a byte every `seconds`
        "reset",  # the connection is cut
        "twice",  # the list's first instances come again on every page, as when it shifts between two pages
        "short",  # the right answer, of which more was promised
        *INSTEAD,  # see demo/aws/hostile.py
        *CHANGED,
    }
)


@dataclass(slots=True)
class Fault:
    """What goes wrong, and for which calls; None matches all.

    `account_id` is the account the call is about (for AssumeRole the role's). `page` counts pages of a listing from
    1. The fault begins with the `nth` matching call and serves `times` of them (None: every one).
    """

    kind: str
    account_id: str | None = None
    region: str | None = None
    action: str | None = None
    service: str | None = None
    page: int | None = None
    nth: int = 1
    times: int | None = None
    seconds: float = 1.0
    code: str = "InternalFailure"
    message: str = "The request processing has failed because of an unknown error."
    status: int = 400
    seen: int = 0
    kept: bytes = b""
    """For `twice`: the first page's first reservation."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"No such fault: {self.kind}. There are {', '.join(sorted(KINDS))}.")

    def serves(self, call: Call, account_id: str | None, page: int) -> bool:
        """Whether this call gets the fault. Counts the calls that match."""
        pairs = (
            (self.account_id, account_id),
            (self.region, call.region),
            (self.action, call.action),
            (self.service, call.service),
            (self.page, page),
        )
        if any(wanted is not None and wanted != actual for wanted, actual in pairs):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)


class Faults:
    """The faults in force, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._taken_back = threading.Event()

    def add(self, kind: str, **options: Any) -> Fault:
        """`add("throttle", region="eu-west-1", times=2)`; see `Fault` for the options."""
        fault = Fault(kind, **options)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Take all back; answers that hang or drip are sent at once."""
        with self._lock:
            self._faults.clear()
            self._taken_back.set()
            self._taken_back = threading.Event()

    def find(self, call: Call, account_id: str | None, page: int) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._faults if fault.serves(call, account_id, page)), None)

    def before(self, fault: Fault, call: Call, environ: dict[str, Any]) -> Answer | None:
        """What is answered instead of AWS, or None where the true answer is still wanted.

        Raises RefusalError, and ConnectionResetError after cutting the connection.
        """
        match fault.kind:
            case "throttle":
                raise RefusalError("RequestLimitExceeded", "Request limit exceeded.", 503)
            case "server_error":
                raise RefusalError("InternalError", "An internal error has occurred", 500)
            case "expired_token":
                ended = ("RequestExpired", "Request has expired.", 400)
                if call.service != "ec2":
                    ended = ("ExpiredToken", "The security token included in the request is expired", 403)
                raise RefusalError(*ended)
            case "denied":
                raise RefusalError("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)
            case "error":
                raise RefusalError(fault.code, fault.message, fault.status)
            case "reset":
                cut_connection(environ)
            case "hang":
                self._taken_back.wait(fault.seconds)
            case kind if kind in INSTEAD:
                return INSTEAD[kind]()
        return None

    def after(self, fault: Fault, answer: Answer) -> Answer:
        """What becomes of the true answer."""
        if fault.kind == "twice":
            fault.kept = fault.kept or first_reservation(answer.body)
            return replace(answer, body=with_reservation(answer.body, fault.kept))
        change = CHANGED.get(fault.kind)
        return replace(answer, body=change(answer.body)) if change else answer

    def promised_length(self, fault: Fault | None, body: bytes) -> int:
        """What the header Content-Length says."""
        return len(body) + (1000 if fault and fault.kind == "short" else 0)

    def send(self, fault: Fault | None, body: bytes) -> Iterable[bytes]:
        """The body, at once or dripping."""
        return self._drip(body, fault) if fault and fault.kind == "drip" else [body]

    def _drip(self, body: bytes, fault: Fault) -> Iterator[bytes]:
        taken_back = self._taken_back
        for position in range(len(body)):
            yield body[position : position + 1]
            taken_back.wait(fault.seconds)


def cut_connection(environ: dict[str, Any]) -> None:
    """Close the socket with a reset instead of an end. Raises ConnectionResetError, which ends the request."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("cut on request")
