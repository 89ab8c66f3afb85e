"""What an instance is in our words: AWS's answer made plain and fixed; pure, does not import boto3.

Source: EC2 API reference, Instance. Any field may be absent, and unknown values are kept as text: AWS adds
lifecycles, tenancies and platforms without notice.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from app.aws.kept_fields import KEPT
from app.errors import FaultCode

STATES = {0: "pending", 16: "running", 32: "shutting-down", 48: "terminated", 64: "stopping", 80: "stopped"}

_KEPT = frozenset(KEPT)
_STAMP = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")


@dataclass(frozen=True, slots=True)
class Reservation:
    """What several instances were started by; empty where AWS does not say."""

    reservation_id: str
    owner_id: str
    requester_id: str


class InstanceRecord(NamedTuple):
    """One instance as its region's last answer has it. Times are aware UTC; None and "" mean that AWS did not say.

    A tuple, because a fleet makes many: a frozen dataclass takes several times as long to build.
    """

    instance_id: str
    region: str
    instance_type: str
    state: str
    lifecycle: str
    """`on-demand` where AWS names none; else AWS's word: spot, scheduled, capacity-block, ..."""

    availability_zone: str
    availability_zone_id: str
    """The same place in every account, unlike the zone's name."""

    name: str
    private_ip: str
    public_ip: str
    vpc_id: str
    subnet_id: str
    image_id: str
    launched_at: datetime | None
    """The last start, not the first."""

    first_launched_at: datetime | None
    """When the primary network interface was attached, which happens once."""

    platform: str
    usage_operation: str
    """What is billed: operating system, SQL Server and licence in one (RunInstances:0002 = Windows)."""

    state_reason_code: str
    state_reason: str
    state_changed_at: datetime | None
    """From the bracket of StateTransitionReason only; never guessed from the launch time."""

    tags: dict[str, str]
    metadata: str
    """Everything worth keeping as JSON text: under AWS's own names as AWS has it (`KEPT`), and `DERIVED`."""

    content_hash: str
    """128 bits of SHA-256 in hex over all of the above: the same for the same content in whatever order."""

    raw_hash: str
    """Of the bytes that it was read from."""


#: Names in the metadata that are ours: what AWS says in several places, or in a way that needs explaining.
DERIVED = {
    "Tags": "tags as one map",
    "Imds": "`required` (version 2 only), `optional` or `disabled`",
    "SecurityGroupIds": "ids alone, sorted",
    "IamInstanceProfileArn": "of the instance profile",
    "Vcpus": "cores x threads a core",
    "OperatedBy": "the AWS service that manages the instance: such an instance is not ours to switch",
}


@dataclass(frozen=True, slots=True)
class RegionRead:
    """A region that was read to its last page: what was on none of its pages is not there."""

    region: str
    instances: int
    """How many there were on all its pages."""

    pages: int
    calls: int
    """Requests sent, attempts included."""


@dataclass(frozen=True, slots=True)
class RegionUnread:
    """A region that was not read to its end. Says nothing about any instance: there is no list to mistake."""

    region: str
    code: FaultCode
    message: str
    aws_code: str | None
    request_id: str | None
    pages: int
    calls: int


def instance_record(
    raw: Mapping[str, Any], region: str, reservation: Reservation | None = None, raw_hash: str = ""
) -> InstanceRecord:
    """Turn one of `Reservations[].Instances[]` into a record; in `raw` times are ISO 8601 text in UTC, tags one map.

    Raises ValueError where there is no instance id; anything else may be missing or unknown.
    """
    instance_id = raw.get("InstanceId")
    if not instance_id:
        raise ValueError("An instance without an id.")
    text = raw.get
    placement, reason = raw.get("Placement") or {}, raw.get("StateReason") or {}
    tags = raw.get("Tags") or {}
    metadata = orjson.dumps(_metadata(raw, tags, reservation), option=orjson.OPT_SORT_KEYS)
    content = (
        instance_id,
        region,
        text("InstanceType") or "unknown",
        _state(raw.get("State") or {}),
        text("InstanceLifecycle") or "on-demand",
        placement.get("AvailabilityZone") or "",
        placement.get("AvailabilityZoneId") or "",
        tags.get("Name", ""),
        text("PrivateIpAddress") or "",
        text("PublicIpAddress") or "",
        text("VpcId") or "",
        text("SubnetId") or "",
        text("ImageId") or "",
        _time(raw.get("LaunchTime")),
        _first_launch(raw),
        text("PlatformDetails") or text("Platform") or "",
        text("UsageOperation") or "",
        reason.get("Code") or "",
        reason.get("Message") or "",
        _transition_time(raw.get("StateTransitionReason") or ""),
    )
    return InstanceRecord(*content, tags, metadata.decode(), _hash(content, metadata), raw_hash)


def _metadata(raw: Mapping[str, Any], tags: dict[str, str], reservation: Reservation | None) -> dict[str, Any]:
    found = {name: value for name, value in raw.items() if name in _KEPT}
    options, cpu = raw.get("MetadataOptions") or {}, raw.get("CpuOptions") or {}
    operator = raw.get("Operator") or {}
    cores, threads = cpu.get("CoreCount"), cpu.get("ThreadsPerCore")
    found |= {
        "Tags": tags,
        "Architecture": raw.get("Architecture"),
        "Tenancy": (raw.get("Placement") or {}).get("Tenancy"),
        "Imds": "disabled" if options.get("HttpEndpoint") == "disabled" else options.get("HttpTokens"),
        "SpotInstanceRequestId": raw.get("SpotInstanceRequestId"),
        "IamInstanceProfileArn": (raw.get("IamInstanceProfile") or {}).get("Arn"),
        "KeyName": raw.get("KeyName"),
        "SecurityGroupIds": sorted({group.get("GroupId") or "" for group in raw.get("SecurityGroups") or ()} - {""}),
        "Vcpus": cores * threads if cores and threads else None,
        "OperatedBy": (operator.get("Principal") or "managed") if operator.get("Managed") is True else None,
    }
    if reservation is not None:
        known = {
            "ReservationId": reservation.reservation_id,
            "OwnerId": reservation.owner_id,
            "RequesterId": reservation.requester_id,
        }
        found |= {name: value for name, value in known.items() if value}
    return found


def _hash(content: tuple[Any, ...], metadata: bytes) -> str:
    digest = hashlib.sha256(metadata)
    digest.update(repr(content).encode())
    return digest.hexdigest()[:32]


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _state(state: Mapping[str, Any]) -> str:
    """The name; failing that, the code's low byte (the high one is for AWS's internal use)."""
    name: str = state.get("Name") or ""
    return name or STATES.get(state.get("Code", -1) & 0xFF) or "unknown"


def _first_launch(raw: Mapping[str, Any]) -> datetime | None:
    for interface in raw.get("NetworkInterfaces") or ():
        attachment = interface.get("Attachment") or {}
        if attachment.get("DeviceIndex") == 0 and attachment.get("NetworkCardIndex", 0) == 0:
            return _time(attachment.get("AttachTime"))
    return None


def _transition_time(reason: str) -> datetime | None:
    match = _STAMP.search(reason) if reason else None
    try:
        return datetime.fromisoformat(match[1]).replace(tzinfo=UTC) if match else None
    except ValueError:
        return None
