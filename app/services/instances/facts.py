"""Turns what AWS said of an instance into what its page groups: interfaces, disks, exposure, protection; pure.

The metadata is AWS's: any name may be absent, and of another shape tomorrow. What cannot be read is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.models import Instance


@dataclass(frozen=True, slots=True)
class Group:
    """A security group; the name is empty where AWS gave the id alone."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface and every address on it."""

    id: str
    description: str
    kind: str
    status: str
    private_ips: Sequence[str]
    public_ips: Sequence[str]
    ipv6: Sequence[str]
    vpc_id: str
    subnet_id: str
    mac_address: str
    groups: Sequence[Group]


@dataclass(frozen=True, slots=True)
class Disk:
    """A volume as it is attached. AWS tells sizes of volumes elsewhere, so none is known here."""

    device: str
    volume_id: str
    status: str
    is_root: bool
    attached_at: datetime | None
    is_deleted_with_instance: bool | None
    """None where AWS does not say."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page shows of an instance beyond its own columns."""

    interfaces: Sequence[Interface]
    disks: Sequence[Disk]
    groups: Sequence[Group]
    """Those of the instance, or of its interfaces where AWS names none for it."""

    public_ips: Sequence[str]
    ipv6: Sequence[str]
    imds: str | None
    """`required`, `optional`, `disabled`, another word of AWS's, or None where it said nothing."""

    hop_limit: int | None
    """How many network hops an answer of the metadata service survives; 1 keeps it out of containers."""

    enclaves: bool | None
    monitoring: str
    capacity: str
    """The capacity reservation or block that it runs in, or what it may use."""

    rest: Mapping[str, Any]
    """The metadata itself, for what is shown as AWS wrote it."""


def facts_of(instance: Instance) -> Facts:
    """Read an instance's metadata."""
    data = _mapping(instance.instance_metadata)
    interfaces = [_interface(each) for each in _mappings(data.get("NetworkInterfaces"))]
    groups = _groups(data.get("SecurityGroups")) or _groups([{"GroupId": id_} for id_ in _texts(data)])
    options = _mapping(data.get("MetadataOptions"))
    hop_limit, enclaves = options.get("HttpPutResponseHopLimit"), _mapping(data.get("EnclaveOptions")).get("Enabled")
    return Facts(
        interfaces=interfaces,
        disks=[_disk(each, data.get("RootDeviceName")) for each in _mappings(data.get("BlockDeviceMappings"))],
        groups=groups or _unique(group for interface in interfaces for group in interface.groups),
        public_ips=_unique(filter(None, [instance.public_ip, *(ip for each in interfaces for ip in each.public_ips)])),
        ipv6=_unique(filter(None, [_text(data.get("Ipv6Address")), *(ip for each in interfaces for ip in each.ipv6)])),
        imds=_text(data.get("Imds")) or None,
        hop_limit=hop_limit if isinstance(hop_limit, int) else None,
        enclaves=enclaves if isinstance(enclaves, bool) else None,
        monitoring=_text(_mapping(data.get("Monitoring")).get("State")),
        capacity=_capacity(data),
        rest=data,
    )


def imds_remedy(instance: Instance) -> str:
    """The command of the AWS CLI that lets the metadata service answer requests with a token only (IMDSv2).

    Source: AWS CLI, `ec2 modify-instance-metadata-options`; it takes effect at once and needs no restart.
    """
    return (
        "aws ec2 modify-instance-metadata-options --http-tokens required --http-endpoint enabled \\\n"
        f"  --region {instance.region} --instance-id {instance.instance_id}"
    )


def _interface(data: Mapping[str, Any]) -> Interface:
    private, public = [data.get("PrivateIpAddress")], [_mapping(data.get("Association")).get("PublicIp")]
    for address in _mappings(data.get("PrivateIpAddresses")):
        private.append(address.get("PrivateIpAddress"))
        public.append(_mapping(address.get("Association")).get("PublicIp"))
    return Interface(
        id=_text(data.get("NetworkInterfaceId")),
        description=_text(data.get("Description")),
        kind=_text(data.get("InterfaceType")),
        status=_text(data.get("Status")),
        private_ips=_unique(filter(None, map(_text, private))),
        public_ips=_unique(filter(None, map(_text, public))),
        ipv6=_unique(filter(None, (_text(each.get("Ipv6Address")) for each in _mappings(data.get("Ipv6Addresses"))))),
        vpc_id=_text(data.get("VpcId")),
        subnet_id=_text(data.get("SubnetId")),
        mac_address=_text(data.get("MacAddress")),
        groups=_groups(data.get("Groups")),
    )


def _disk(data: Mapping[str, Any], root: Any) -> Disk:
    volume, device = _mapping(data.get("Ebs")), _text(data.get("DeviceName"))
    is_deleted = volume.get("DeleteOnTermination")
    return Disk(
        device=device,
        volume_id=_text(volume.get("VolumeId")),
        status=_text(volume.get("Status")),
        is_root=bool(device) and device == root,
        attached_at=_time(volume.get("AttachTime")),
        is_deleted_with_instance=is_deleted if isinstance(is_deleted, bool) else None,
    )


def _capacity(data: Mapping[str, Any]) -> str:
    wish = _mapping(data.get("CapacityReservationSpecification"))
    target = _mapping(wish.get("CapacityReservationTarget"))
    found = (
        data.get("CapacityBlockId"),
        data.get("CapacityReservationId"),
        target.get("CapacityReservationId"),
        target.get("CapacityReservationResourceGroupArn"),
    )
    return next(filter(None, map(_text, found)), "")


def _groups(value: Any) -> list[Group]:
    found = (Group(_text(each.get("GroupId")), _text(each.get("GroupName"))) for each in _mappings(value))
    return sorted((group for group in found if group.id), key=lambda group: (group.name.casefold(), group.id))


def _texts(data: Mapping[str, Any]) -> Iterator[str]:
    ids = data.get("SecurityGroupIds")
    return map(_text, ids if isinstance(ids, list) else ())


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else iter(())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _unique(values: Any) -> list[Any]:
    return list(dict.fromkeys(values))


def _time(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
