"""What EventBridge tells about EC2 instances, taken apart; pure.

Sources: EC2 user guide, "Instance state change events", "Spot Instance interruption notices" and "EC2 instance
rebalance recommendations"; EventBridge user guide, "Events". Events come at least once and in any order; their `time`
has seconds. The ARN in `resources` is not read: for interruption warnings it has a zone where the region belongs and
no account, and its form differs between samples.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from app.aws.formats import ACCOUNT_ID, REGION

SOURCE = "aws.ec2"
STATE_CHANGE = "EC2 Instance State-change Notification"
SPOT_WARNING = "EC2 Spot Instance Interruption Warning"
CAPACITY_WARNING = "EC2 Interruptible Capacity Reservation Instance Interruption Warning"
REBALANCE = "EC2 Instance Rebalance Recommendation"

#: EventBridge's own limit for a whole event is 256 KB; those of EC2 have less than one.
MAX_BYTES = 32 * 1024

#: MariaDB takes JSON of 32 levels at most; EC2's events have three.
MAX_DEPTH = 16

_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
_WORD = re.compile(r"[a-z][a-z-]{0,31}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_LONGEST_DETAIL_TYPE = 128
_LONGEST_ID = 64

#: EC2 was opened in 2006; what is said to be older, no database need keep.
_FIRST_YEAR = 2006

#: Our own word, which no event may bring in.
_NOT_A_STATE = "missing"

#: Of two changes in the same second the one further along is the later. EC2's own words, in the order of a life.
_ORDER_OF_STATES = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated")


class EventKind(StrEnum):
    """What an event tells; the values are names of fields in an instance's history."""

    STATE = "state"
    INTERRUPTION = "interruption"
    REBALANCE = "rebalance"


_KINDS = {
    STATE_CHANGE: EventKind.STATE,
    SPOT_WARNING: EventKind.INTERRUPTION,
    CAPACITY_WARNING: EventKind.INTERRUPTION,
    REBALANCE: EventKind.REBALANCE,
}

#: What a rule in EventBridge asks for.
KINDS = tuple(_KINDS)


class EventError(ValueError):
    """Not an event, or not one that can be kept; the message is fit for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Its account is the one that AWS names, not the one that whoever sent it stands for."""

    event_id: str
    account_id: str
    region: str
    detail_type: str
    occurred_at: datetime
    kind: EventKind | None
    """None for a kind that is none of ours: kept, and nothing else."""

    instance_id: str
    """Empty where `kind` is None and the event names no instance."""

    value: str
    """The new state, or the action that is announced."""

    payload: dict[str, Any] = field(repr=False)


def read_event(body: bytes | str) -> Event:
    """Take an event apart.

    Raises:
        EventError: too large, not JSON, or without what every event has.
    """
    return event_from(_object(body))


def read_message(body: bytes | str) -> Event:
    """The same for a queue's message, in which SNS may have wrapped the event as text.

    Raises:
        EventError: as `read_event`.
    """
    found = _object(body)
    inner = found.get("Message")
    if found.get("Type") == "Notification" and isinstance(inner, str):
        found = _object(inner)
    return event_from(found)


def event_from(payload: dict[str, Any]) -> Event:
    """The event that JSON already read describes.

    Raises:
        EventError: without what every event has.
    """
    detail = payload.get("detail")
    if not isinstance(detail, dict):
        raise EventError("The event has no object “detail”.")
    detail_type = _text(payload, "detail-type", _LONGEST_DETAIL_TYPE)
    kind = _KINDS.get(detail_type) if payload.get("source") == SOURCE else None
    account_id = _text(payload, "account", 12)
    region = _text(payload, "region", 32)
    if not ACCOUNT_ID.fullmatch(account_id):
        raise EventError("The event's “account” is no AWS account id.")
    if not REGION.fullmatch(region):
        raise EventError("The event's “region” is no region.")
    instance_id = detail.get("instance-id")
    if not (isinstance(instance_id, str) and _INSTANCE_ID.fullmatch(instance_id)):
        if kind is not None:
            raise EventError("The event's detail has no “instance-id”.")
        instance_id = ""
    return Event(
        event_id=_text(payload, "id", _LONGEST_ID),
        account_id=account_id,
        region=region,
        detail_type=detail_type,
        occurred_at=_time(payload),
        kind=kind,
        instance_id=instance_id,
        value=_value(kind, detail),
        payload=payload,
    )


def state_of(payload: dict[str, Any]) -> str:
    """The new state in the payload of a state change that was kept."""
    return str(payload["detail"]["state"])


def place_of(occurred_at: datetime, state: str) -> tuple[datetime, int, str]:
    """Where a state change stands among those of its instance; the same for each order in which they arrive."""
    rank = _ORDER_OF_STATES.index(state) if state in _ORDER_OF_STATES else -1
    return occurred_at, rank, state


def _value(kind: EventKind | None, detail: dict[str, Any]) -> str:
    if kind is EventKind.STATE:
        state = detail.get("state")
        if not (isinstance(state, str) and _WORD.fullmatch(state)) or state == _NOT_A_STATE:
            raise EventError("The event's detail has no “state”.")
        return state
    if kind is EventKind.INTERRUPTION:
        action = detail.get("instance-action")
        return action if isinstance(action, str) and _WORD.fullmatch(action) else "unknown"
    return "recommended" if kind is EventKind.REBALANCE else ""


def _time(payload: dict[str, Any]) -> datetime:
    text = payload.get("time")
    if isinstance(text, str) and _TIME.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        else:
            if moment.year >= _FIRST_YEAR:
                return moment
    raise EventError("The event's “time” is no time with its zone, as in 2026-01-31T09:30:00Z.")


def _text(payload: dict[str, Any], name: str, longest: int) -> str:
    value = payload.get(name)
    if not (isinstance(value, str) and 0 < len(value) <= longest and value.isascii() and value.isprintable()):
        raise EventError(f"The event has no “{name}”, or it is longer than {longest} characters.")
    return value


def _object(body: bytes | str) -> dict[str, Any]:
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    if len(raw) > MAX_BYTES:
        raise EventError(f"An event has at most {MAX_BYTES:,} bytes.")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise EventError("This is not JSON.") from None
    if not isinstance(found, dict):
        raise EventError("An event is a JSON object, and comes alone.")
    if b"\\u0000" in raw or _depth(found) > MAX_DEPTH:
        raise EventError("The event holds what cannot be stored: a NUL, or objects in objects without an end.")
    return found


def _depth(value: Any) -> int:
    """How many levels of objects and lists; stops one beyond what is allowed."""
    level, layer = 0, [value]
    while layer and level <= MAX_DEPTH:
        layer = [inside for outer in layer for inside in _inside(outer)]
        level += 1
    return level


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
