"""What an event says, taken out of what EventBridge sent; pure.

Source: EC2 user guide, "Automate Amazon EC2 using EventBridge". Kinds that we do not know are no fault: AWS adds some.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.aws.formats import ACCOUNT_ID, REGION
from app.errors import InvalidInputError

STATE_CHANGE = "EC2 Instance State-change Notification"
SPOT_WARNING = "EC2 Spot Instance Interruption Warning"
CAPACITY_WARNING = "EC2 Interruptible Capacity Reservation Instance Interruption Warning"
REBALANCE = "EC2 Instance Rebalance Recommendation"
KINDS = (STATE_CHANGE, SPOT_WARNING, CAPACITY_WARNING, REBALANCE)

#: Kinds that are a notice, and the field of the history under which it stands.
NOTICES = {SPOT_WARNING: "interruption", CAPACITY_WARNING: "interruption", REBALANCE: "rebalance"}

_EVENT_ID = re.compile(r"[\x21-\x7e]{1,64}")
_INSTANCE_ID = re.compile(r"i-[0-9a-z]{1,30}")
_WORD = re.compile(r"[a-z][a-z-]{0,31}")


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Times are aware UTC."""

    event_id: str
    account_id: str
    """AWS's id."""

    detail_type: str
    region: str
    occurred_at: datetime
    instance_id: str
    """Empty where the event is about no instance."""

    word: str
    """The state, or what is going to be done (terminate, stop, hibernate); empty where it does not say."""

    payload: dict[str, Any]

    @property
    def is_known(self) -> bool:
        return self.detail_type in KINDS and self.payload.get("source") == "aws.ec2" and bool(self.instance_id)


def parse_event(payload: Any) -> Event:
    """Take an event apart.

    The account, the region and the time are the event's own: the ARN of a spot warning has a zone where the region
    belongs, and no account.

    Raises:
        InvalidInputError: not an event of EventBridge; `field` says what is wrong with it.
    """
    if not isinstance(payload, dict):
        raise InvalidInputError("An event is a JSON object.", field="body")
    detail = payload.get("detail")
    if not isinstance(detail, dict):
        raise InvalidInputError("An event has a detail, which is an object.", field="detail")
    word = detail.get("state") or detail.get("instance-action") or ""
    instance_id = detail.get("instance-id")
    return Event(
        event_id=_text(payload, "id", _EVENT_ID),
        account_id=_text(payload, "account", ACCOUNT_ID),
        detail_type=_text(payload, "detail-type", re.compile(r"[\x20-\x7e]{1,128}")),
        region=_text(payload, "region", REGION),
        occurred_at=_time(payload.get("time")),
        instance_id=instance_id if isinstance(instance_id, str) and _INSTANCE_ID.fullmatch(instance_id) else "",
        word=word if isinstance(word, str) and _WORD.fullmatch(word) else "",
        payload=payload,
    )


def _text(payload: dict[str, Any], name: str, shape: re.Pattern[str]) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise InvalidInputError(f"The event's {name} is missing, or has another shape than AWS gives it.", field=name)
    return value


def _time(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInputError("The event's time is missing, or is none.", field="time") from None
