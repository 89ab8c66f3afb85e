"""Trouble on order: makes matching calls fail the way AWS, a proxy or a network fails."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from demo.aws.answers import Answer, AwsError


class ConnectionDropped(Exception):
    """The server closes the connection without a word."""


def _raise(problem: Exception) -> Answer:
    raise problem


#: What each kind does instead of the call.
KINDS: dict[str, Callable[[float], Answer]] = {
    "throttle": lambda _: _raise(AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)),
    "server_error": lambda _: _raise(AwsError("InternalError", "An internal error has occurred", 500)),
    "denied": lambda _: _raise(AwsError("UnauthorizedOperation", "You are not authorized to perform this operation.")),
    "expired": lambda _: _raise(AwsError("RequestExpired", "Request has expired.", 400)),
    "html": lambda _: Answer(b"<html>Sign in to the network</html>", headers={"Content-Type": "text/html"}),
    "empty": lambda _: Answer(b""),
    "truncated": lambda _: Answer(b"<?xml version='1.0'?><DescribeInstancesResponse><reservationSet><item>"),
    "wrong_root": lambda _: Answer(b"<?xml version='1.0'?><DescribeVpcsResponse><vpcSet/></DescribeVpcsResponse>"),
    "drop": lambda _: _raise(ConnectionDropped()),
}


@dataclass(slots=True)
class Fault:
    """`kind` is one of KINDS or `slow`; empty conditions match every call. `times` None never wears off."""

    kind: str
    action: str = ""
    account_id: str = ""
    region: str = ""
    page: int = 0
    """Only the nth page of a listing, counting from 1; 0 is any."""
    seconds: float = 0
    times: int | None = None


@dataclass(slots=True)
class Faults:
    """The faults that are ordered now."""

    ordered: list[Fault] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(self, kind: str, **conditions: object) -> Fault:
        """Order a fault; see `Fault` for the conditions."""
        if kind not in KINDS and kind != "slow":
            raise ValueError(f"No such fault: {kind}")
        fault = Fault(kind, **conditions)  # type: ignore[arg-type]
        self.ordered.append(fault)
        return fault

    def clear(self) -> None:
        self.ordered.clear()

    def strike(self, *, action: str, account_id: str, region: str, page: int) -> Answer | None:
        """What happens instead of this call; None when nothing does."""
        with self._lock:
            fault = next((f for f in self.ordered if _matches(f, action, account_id, region, page)), None)
            if fault is None:
                return None
            if fault.times is not None:
                fault.times -= 1
        if fault.kind == "slow":
            time.sleep(fault.seconds)
            return None
        return KINDS[fault.kind](fault.seconds)


def _matches(fault: Fault, action: str, account_id: str, region: str, page: int) -> bool:
    return (
        fault.times != 0
        and fault.action in ("", action)
        and fault.account_id in ("", account_id)
        and fault.region in ("", region)
        and fault.page in (0, page)
    )
