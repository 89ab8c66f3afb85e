"""A made-up EC2 fleet as DescribeInstances would tell it: the same bytes for the same numbers, on any machine.

    fleet = Fleet(instances=10_000, regions=4)
    fleet.reservations("us-east-1")                        # rendered <item> elements of reservationSet
    replace(fleet, generation=1).reservations("us-east-1") # the same a while later: 1% of the instances differ
    replace(fleet, order=1).reservations("us-east-1")      # other bytes, same content

An instance has about 12 KB and 125 values, as real ones with one to three network interfaces and a dozen tags have.
The names are those of botocore's ec2 service model; their order and the indentation are those of the EC2 API
reference's example answer to DescribeInstances.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

REGIONS = (
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
    "ca-central-1",
)
#: Type, cores, threads a core.
TYPES = (
    ("t3.medium", 1, 2),
    ("m5.large", 1, 2),
    ("m6i.xlarge", 2, 2),
    ("c6g.2xlarge", 8, 1),
    ("r6g.4xlarge", 16, 1),
    ("m7i.8xlarge", 16, 2),
)
WORKLOADS = ("web", "api", "worker", "etl", "cache", "search", "queue", "batch")
ENVIRONMENTS = ("prod", "prod", "staging", "dev")

#: Tags beside those every instance has, in the order in which they are added; real keys of real tools.
MORE_TAGS = (
    ("aws:autoscaling:groupName", "asg-{workload}-{environment}-{index:08x}-blue-green"),
    ("aws:ec2launchtemplate:id", "lt-0{index:016x}"),
    ("aws:ec2launchtemplate:version", "{number}"),
    ("kubernetes.io/cluster/platform-{environment}", "owned"),
    ("karpenter.sh/nodepool", "general-purpose-{workload}"),
    ("Patch Group", "linux-{environment}-wave-{number}"),
    ("data-classification", "internal & confidential"),
    ("backup-policy", "daily-35d-weekly-12w-monthly-13m"),
    ("terraform:workspace", "fleet-{workload}-{environment}-{number}"),
    ("on-call", "https://pager.example.com/teams/{workload}/{number}"),
    ("created-by", "arn:aws:sts::{account}:assumed-role/deployer/pipeline-{index}"),
    ("schedule", "office-hours-europe-berlin-0700-1900"),
)

EPOCH = datetime(2026, 3, 1, tzinfo=UTC)
INDENT = "    "


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The instances of one account. They are spread evenly over the regions, one to three a reservation."""

    instances: int
    regions: int = 4
    account: int = 1
    generation: int = 0
    """How often time has passed. Each time `churn_percent` of the instances change, others than the last time."""

    churn_percent: float = 1.0
    order: int = 0
    """Each number lists tags and security groups in another order; what is said stays the same."""

    def __post_init__(self) -> None:
        if not 1 <= self.regions <= len(REGIONS):
            raise ValueError(f"One to {len(REGIONS)} regions")

    @property
    def region_names(self) -> tuple[str, ...]:
        return REGIONS[: self.regions]

    @property
    def account_id(self) -> str:
        return account_id(self.account)

    def reservations(self, region: str) -> Iterator[tuple[int, bytes]]:
        """Each reservation of the region: how many instances it has, and its `<item>`."""
        for first, count in self.slots(region):
            yield count, self.render(region, first, count)

    def slots(self, region: str) -> Iterator[tuple[int, int]]:
        """The first instance and the number of instances of each reservation; the same in every generation."""
        place = self.region_names.index(region)
        index, end = (self.instances * number // self.regions for number in (place, place + 1))
        while index < end:
            count = min(1 + index % 3, end - index)
            yield index, count
            index += count

    def render(self, region: str, first: int, count: int) -> bytes:
        """One reservation's `<item>`."""
        members = [self.instance(region, first + launch, launch) for launch in range(count)]
        reservation = {
            "reservationId": f"r-0{first:08x}{self.account:08x}",
            "ownerId": self.account_id,
            "groupSet": [],
            "instancesSet": members,
        }
        return "".join(_render("item", reservation, INDENT * 2)).encode()

    def changes(self, index: int) -> int:
        """How often this instance has changed until now."""
        if self.churn_percent <= 0:
            return 0
        every = max(1, round(100 / self.churn_percent))
        # Its turn comes in the generations that leave the same remainder, the first of them above 0.
        turn = index % every or every
        return (self.generation - turn) // every + 1 if self.generation >= turn else 0

    def instance(self, region: str, index: int, launch_index: int) -> dict[str, Any]:
        """One of `instancesSet`, under EC2's own names; a list becomes a set of items."""
        dice = random.Random(f"{self.account}/{index}")
        changes = self.changes(index)
        # Half of the instances change by being stopped and started, half by a tag.
        switched, retagged = (changes, 0) if index % 2 else (0, changes)
        is_running = (dice.random() < 0.85) ^ (switched % 2 == 1)
        is_windows = dice.random() < 0.1
        type_, cores, threads = dice.choice(TYPES)
        zone = dice.randrange(3)
        launched = EPOCH + timedelta(minutes=index % 200_000)
        # Every start has its own time.
        started = launched + timedelta(days=3, hours=switched)
        vpc, subnet = f"vpc-0{dice.getrandbits(64):016x}", f"subnet-0{dice.getrandbits(64):016x}"
        groups = [
            {"groupId": f"sg-0{dice.getrandbits(64):016x}", "groupName": f"{name}-{region}"}
            for name in ("base", "workload", "monitoring")[: dice.choice((1, 1, 1, 2, 3))]
        ]
        interfaces = [
            self._interface(dice, region, number, vpc, subnet, groups, launched)
            for number in range(dice.choice((1, 1, 1, 1, 1, 2, 3)))
        ]
        tags = self._tags(dice, index, retagged)
        self._reorder(index, groups, tags)
        primary = interfaces[0]
        return {
            "instanceId": f"i-0{self.account:04x}{index:012x}",
            "imageId": f"ami-0{dice.getrandbits(64):016x}",
            "instanceState": {"code": 16, "name": "running"} if is_running else {"code": 80, "name": "stopped"},
            "privateDnsName": primary["privateDnsName"],
            "dnsName": primary["association"]["publicDnsName"] if is_running else "",
            "reason": "" if is_running else f"User initiated ({started + timedelta(days=9):%Y-%m-%d %H:%M:%S} GMT)",
            "keyName": f"key-{dice.randrange(50)}",
            "amiLaunchIndex": launch_index,
            "productCodes": [],
            "instanceType": type_,
            "launchTime": started,
            "placement": {
                "availabilityZone": region + "abc"[zone],
                "availabilityZoneId": f"{_short(region)}-az{zone + 1}",
                "groupName": "",
                "tenancy": "default",
            },
            **({"platform": "windows"} if is_windows else {}),
            "monitoring": {"state": dice.choice(("disabled", "enabled"))},
            "subnetId": subnet,
            "vpcId": vpc,
            "privateIpAddress": primary["privateIpAddress"],
            **({"ipAddress": primary["association"]["publicIp"]} if is_running else {}),
            "sourceDestCheck": True,
            "groupSet": groups,
            **({} if is_running else {"stateReason": _STOPPED_REASON}),
            "architecture": "arm64" if "g." in type_ else "x86_64",
            "rootDeviceType": "ebs",
            "rootDeviceName": "/dev/sda1",
            "blockDeviceMapping": [_device(dice, name, launched) for name in _DEVICES[: dice.choice((1, 1, 1, 2, 3))]],
            "virtualizationType": "hvm",
            "clientToken": f"fleet-{dice.getrandbits(128):032x}",
            "tagSet": tags,
            "hypervisor": "xen",
            "networkInterfaceSet": interfaces,
            "iamInstanceProfile": {
                "arn": f"arn:aws:iam::{self.account_id}:instance-profile/fleet/{WORKLOADS[index % len(WORKLOADS)]}",
                "id": f"AIPA{dice.getrandbits(64):016X}X",
            },
            **(
                {"instanceLifecycle": "spot", "spotInstanceRequestId": f"sir-{dice.getrandbits(32):08x}"}
                if dice.random() < 0.2
                else {}
            ),
            "ebsOptimized": True,
            "enaSupport": True,
            "cpuOptions": {"coreCount": cores, "threadsPerCore": threads},
            "capacityReservationSpecification": {"capacityReservationPreference": "open"},
            "hibernationOptions": {"configured": False},
            "metadataOptions": {
                "state": "applied",
                "httpTokens": dice.choice(("required", "required", "optional")),
                "httpPutResponseHopLimit": 2,
                "httpEndpoint": "enabled",
                "httpProtocolIpv6": "disabled",
                "instanceMetadataTags": "disabled",
            },
            "enclaveOptions": {"enabled": False},
            "bootMode": "uefi-preferred",
            "platformDetails": "Windows" if is_windows else "Linux/UNIX",
            "usageOperation": "RunInstances:0002" if is_windows else "RunInstances",
            "usageOperationUpdateTime": launched,
            "privateDnsNameOptions": {
                "hostnameType": "ip-name",
                "enableResourceNameDnsARecord": True,
                "enableResourceNameDnsAAAARecord": False,
            },
            "maintenanceOptions": {"autoRecovery": "default", "rebootMigration": "default"},
            "currentInstanceBootMode": "uefi",
            "networkPerformanceOptions": {"bandwidthWeighting": "default"},
            "operator": (
                {"managed": True, "principal": "eks.amazonaws.com"} if dice.random() < 0.03 else {"managed": False}
            ),
        }

    def _interface(
        self,
        dice: random.Random,
        region: str,
        number: int,
        vpc: str,
        subnet: str,
        groups: Sequence[Mapping[str, str]],
        attached: datetime,
    ) -> dict[str, Any]:
        addresses = [f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(4, 255)}" for _ in range(2)]
        public = f"52.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(256)}"
        association = {
            "publicIp": public,
            "publicDnsName": f"ec2-{public.replace('.', '-')}.{region}.compute.amazonaws.com",
            "ipOwnerId": "amazon",
        }
        private = [
            {
                "privateIpAddress": address,
                "privateDnsName": f"ip-{address.replace('.', '-')}.{region}.compute.internal",
                "primary": place == 0,
                **({"association": association} if number == place == 0 else {}),
            }
            for place, address in enumerate(addresses[: 1 + number])
        ]
        return {
            "networkInterfaceId": f"eni-0{dice.getrandbits(64):016x}",
            "subnetId": subnet,
            "vpcId": vpc,
            "description": "Primary network interface" if number == 0 else f"data plane {number}",
            "ownerId": self.account_id,
            "status": "in-use",
            "macAddress": ":".join(f"{dice.randrange(256):02x}" for _ in range(6)),
            "privateIpAddress": addresses[0],
            "privateDnsName": private[0]["privateDnsName"],
            "sourceDestCheck": True,
            "groupSet": list(groups),
            "attachment": {
                "attachmentId": f"eni-attach-0{dice.getrandbits(64):016x}",
                "deviceIndex": number,
                "networkCardIndex": 0,
                "status": "attached",
                "attachTime": attached,
                "deleteOnTermination": True,
            },
            **({"association": association} if number == 0 else {}),
            "privateIpAddressesSet": private,
            "ipv6AddressesSet": [],
            "interfaceType": "interface",
        }

    def _tags(self, dice: random.Random, index: int, retagged: int) -> list[dict[str, str]]:
        workload, environment = WORKLOADS[index % len(WORKLOADS)], dice.choice(ENVIRONMENTS)
        words = {
            "account": self.account_id,
            "environment": environment,
            "index": index,
            "number": dice.randrange(1, 40),
            "workload": workload,
        }
        tags = {
            "Name": f"{workload}-{environment}-{index:06d}",
            "team": f"team-{index % 40}",
            "env": environment,
            "service": f"{workload}-service",
            "cost-center": f"CC-{1000 + index % 300}",
            "owner": f"owner{index % 500}@example.com",
            "version": f"2026.{1 + index % 12}.{retagged}",
            "managed-by": "terraform",
        }
        for key, value in MORE_TAGS[: dice.choice((0, 0, 0, 1, 2, 4, 12))]:
            tags[key.format(**words)] = value.format(**words)
        return [{"key": key, "value": value} for key, value in tags.items()]

    def _reorder(self, index: int, *lists: list[dict[str, str]]) -> None:
        if self.order:
            dice = random.Random(f"{self.order}/{index}")
            for items in lists:
                dice.shuffle(items)


_DEVICES = ("/dev/sda1", "/dev/sdf", "/dev/sdg", "/dev/sdh")
_STOPPED_REASON = {
    "code": "Client.UserInitiatedShutdown",
    "message": "Client.UserInitiatedShutdown: User initiated shutdown",
}


def account_id(number: int) -> str:
    """The twelve digits of the account with this number."""
    return f"{100_000_000_000 + number}"


def _short(region: str) -> str:
    """The region as zone ids spell it: us-east-1 is use1."""
    area, *middle, number = region.split("-")
    return area + "".join(word[0] for word in middle) + number


def _device(dice: random.Random, name: str, attached: datetime) -> dict[str, Any]:
    return {
        "deviceName": name,
        "ebs": {
            "volumeId": f"vol-0{dice.getrandbits(64):016x}",
            "status": "attached",
            "attachTime": attached,
            "deleteOnTermination": name == _DEVICES[0],
        },
    }


def _render(name: str, value: Any, indent: str) -> Iterator[str]:
    """One element in EC2's layout: four spaces a level, an empty value as `<name/>`."""
    if isinstance(value, dict | list):
        if not value:
            yield f"{indent}<{name}/>\n"
            return
        yield f"{indent}<{name}>\n"
        children = value.items() if isinstance(value, dict) else (("item", item) for item in value)
        for child, content in children:
            yield from _render(child, content, indent + INDENT)
        yield f"{indent}</{name}>\n"
    elif value == "":
        yield f"{indent}<{name}/>\n"
    else:
        yield f"{indent}<{name}>{_text(value)}</{name}>\n"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.000Z"
    return escape(value) if isinstance(value, str) else str(value)
