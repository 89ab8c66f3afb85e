"""What an instance is in our words: AWS's answer made plain and frozen; pure, does not import boto3.

Source: EC2 API reference, Instance. Any field may be absent, and unknown values are kept as text: AWS adds
lifecycles, tenancies and platforms without notice.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

from app.errors import FaultCode

STATES = {0: "pending", 16: "running", 32: "shutting-down", 48: "terminated", 64: "stopping", 80: "stopped"}

#: What else is kept of an instance, beside the fields of the record. A list of what to keep, not of what to drop:
#: a field that AWS adds tomorrow must not change every instance's content each time it is read.
KEPT = (
    "AmiLaunchIndex",
    "BlockDeviceMappings",
    "BootMode",
    "CapacityReservationId",
    "CapacityReservationSpecification",
    "ClientToken",
    "CpuOptions",
    "CurrentInstanceBootMode",
    "EbsOptimized",
    "EnaSupport",
    "EnclaveOptions",
    "HibernationOptions",
    "Hypervisor",
    "Ipv6Address",
    "KernelId",
    "Licenses",
    "MaintenanceOptions",
    "MetadataOptions",
    "Monitoring",
    "NetworkInterfaces",
    "NetworkPerformanceOptions",
    "Operator",
    "OutpostArn",
    "Placement",
    "Platform",
    "PrivateDnsName",
    "PrivateDnsNameOptions",
    "PublicDnsName",
    "RamdiskId",
    "RootDeviceName",
    "RootDeviceType",
    "SecurityGroups",
    "SourceDestCheck",
    "StateTransitionReason",
    "TpmSupport",
    "UsageOperationUpdateTime",
    "VirtualizationType",
)
_STAMP = re.compile(r"\((\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (?:GMT|UTC)\)")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceRecord:
    """One instance as its region's last answer has it. Times are aware UTC; None means AWS did not say."""

    instance_id: str
    region: str
    instance_type: str
    state: str
    lifecycle: str
    """`on-demand` where AWS names none; else AWS's word: spot, scheduled, capacity-block, ..."""

    availability_zone: str | None
    availability_zone_id: str | None
    """The same place in every account, unlike the zone's name."""

    name: str
    private_ip: str | None
    public_ip: str | None
    vpc_id: str | None
    subnet_id: str | None
    image_id: str | None
    launched_at: datetime | None
    """The last start, not the first."""

    first_launched_at: datetime | None
    """When the primary network interface was attached, which happens once."""

    platform: str | None
    usage_operation: str | None
    """What is billed: operating system, SQL Server and licence in one (RunInstances:0002 = Windows)."""

    architecture: str | None
    tenancy: str | None
    imds: str | None
    """`required` (version 2 only), `optional` or `disabled`."""

    spot_request_id: str | None
    state_reason_code: str | None
    state_reason_message: str | None
    state_changed_at: datetime | None
    """From the bracket of StateTransitionReason only; never guessed from the launch time."""

    iam_profile_arn: str | None
    key_name: str | None
    security_groups: tuple[str, ...]
    """Ids, sorted."""

    vcpus: int | None
    operator: str | None
    """The AWS service that manages the instance; such an instance is not ours to switch."""

    tags: dict[str, str]
    metadata: dict[str, Any]
    """Everything else worth keeping, under AWS's own names; safe for JSON."""

    content_hash: str
    """SHA-256 hex over all of the above; the same for the same content in whatever order AWS listed it."""


@dataclass(frozen=True, slots=True)
class RegionRead:
    """A region that was read to its last page: what is not among `instances` is not there."""

    region: str
    instances: tuple[InstanceRecord, ...]
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
    raw: Mapping[str, Any], region: str, reservation: Mapping[str, Any] | None = None
) -> InstanceRecord:
    """Turn one of `Reservations[].Instances[]`, as botocore parses it, into a record.

    Raises ValueError where there is no instance id; anything else may be missing or unknown.
    """
    instance_id = _text(raw.get("InstanceId"))
    if not instance_id:
        raise ValueError("An instance without an id.")
    placement, options = _map(raw.get("Placement")), _map(raw.get("MetadataOptions"))
    reason, operator = _map(raw.get("StateReason")), _map(raw.get("Operator"))
    tags = {_text(tag.get("Key")) or "": _text(tag.get("Value")) or "" for tag in _maps(raw.get("Tags"))}
    metadata = {name: json_safe(raw[name]) for name in KEPT if raw.get(name) is not None}
    for name in ("ReservationId", "OwnerId", "RequesterId"):
        if value := _text((reservation or {}).get(name)):
            metadata[name] = value
    content: dict[str, Any] = {
        "instance_id": instance_id,
        "region": region,
        "instance_type": _text(raw.get("InstanceType")) or "unknown",
        "state": _state(_map(raw.get("State"))),
        "lifecycle": _text(raw.get("InstanceLifecycle")) or "on-demand",
        "availability_zone": _text(placement.get("AvailabilityZone")),
        "availability_zone_id": _text(placement.get("AvailabilityZoneId")),
        "name": tags.get("Name", ""),
        "private_ip": _text(raw.get("PrivateIpAddress")),
        "public_ip": _text(raw.get("PublicIpAddress")),
        "vpc_id": _text(raw.get("VpcId")),
        "subnet_id": _text(raw.get("SubnetId")),
        "image_id": _text(raw.get("ImageId")),
        "launched_at": _time(raw.get("LaunchTime")),
        "first_launched_at": _first_launch(raw),
        "platform": _text(raw.get("PlatformDetails")) or _text(raw.get("Platform")),
        "usage_operation": _text(raw.get("UsageOperation")),
        "architecture": _text(raw.get("Architecture")),
        "tenancy": _text(placement.get("Tenancy")),
        "imds": "disabled" if options.get("HttpEndpoint") == "disabled" else _text(options.get("HttpTokens")),
        "spot_request_id": _text(raw.get("SpotInstanceRequestId")),
        "state_reason_code": _text(reason.get("Code")),
        "state_reason_message": _text(reason.get("Message")),
        "state_changed_at": _transition_time(raw.get("StateTransitionReason")),
        "iam_profile_arn": _text(_map(raw.get("IamInstanceProfile")).get("Arn")),
        "key_name": _text(raw.get("KeyName")),
        "security_groups": tuple(
            sorted({_text(group.get("GroupId")) or "" for group in _maps(raw.get("SecurityGroups"))} - {""})
        ),
        "vcpus": _vcpus(_map(raw.get("CpuOptions"))),
        "operator": (_text(operator.get("Principal")) or "managed") if operator.get("Managed") is True else None,
        "tags": tags,
        "metadata": metadata,
    }
    return InstanceRecord(**content, content_hash=_hash(content))


#: The names of everything a record says, for those who store it.
CONTENT_FIELDS = tuple(field.name for field in fields(InstanceRecord) if field.name != "content_hash")


def json_safe(value: Any) -> Any:
    """A value of botocore's as JSON can hold it: times as ISO 8601 UTC, bytes as base64, unknown things as text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, str):
        return _UNSTORABLE.sub("�", value)
    if isinstance(value, Mapping):
        return {_UNSTORABLE.sub("�", str(key)): json_safe(item) for key, item in value.items()}
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, datetime):
        return (_time(value) or value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Iterable):
        return [json_safe(item) for item in value]
    return _UNSTORABLE.sub("�", str(value))


def _hash(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(_unordered(json_safe(content)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _unordered(value: Any) -> Any:
    """Lists sorted, for AWS lists interfaces, disks and groups in no promised order."""
    if isinstance(value, dict):
        return {key: _unordered(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((_unordered(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def _text(value: Any) -> str | None:
    """Text without what no database stores; None for an absent or an empty value."""
    if value is None or isinstance(value, Mapping | list | tuple):
        return None
    return _UNSTORABLE.sub("�", str(value)) or None


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _maps(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _time(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:  # the first or last day of time, moved across its edge
        return None


def _state(state: Mapping[str, Any]) -> str:
    """The name; failing that, the code's low byte (the high one is for AWS's internal use)."""
    code = state.get("Code")
    return _text(state.get("Name")) or (STATES.get(code & 0xFF) if isinstance(code, int) else None) or "unknown"


def _first_launch(raw: Mapping[str, Any]) -> datetime | None:
    for interface in _maps(raw.get("NetworkInterfaces")):
        attachment = _map(interface.get("Attachment"))
        if attachment.get("DeviceIndex") == 0 and attachment.get("NetworkCardIndex", 0) == 0:
            return _time(attachment.get("AttachTime"))
    return None


def _transition_time(reason: Any) -> datetime | None:
    match = _STAMP.search(reason) if isinstance(reason, str) else None
    try:
        return datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if match else None
    except ValueError:
        return None


def _vcpus(options: Mapping[str, Any]) -> int | None:
    cores, threads = options.get("CoreCount"), options.get("ThreadsPerCore")
    return cores * threads if isinstance(cores, int) and isinstance(threads, int) else None
