"""What one made-up EC2 instance looks like: see `ec2_fleet`."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

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
_DEVICES = ("/dev/sda1", "/dev/sdf", "/dev/sdg", "/dev/sdh")
_STOPPED_REASON = {
    "code": "Client.UserInitiatedShutdown",
    "message": "Client.UserInitiatedShutdown: User initiated shutdown",
}


def account_id(number: int) -> str:
    """The twelve digits of the account with this number."""
    return f"{100_000_000_000 + number}"


def make_instance(
    account: int, region: str, index: int, *, launch_index: int = 0, changes: int = 0, order: int = 0
) -> dict[str, Any]:
    """One of `instancesSet`, under EC2's own names; a list becomes a set of items.

    `index` is its number in the account, `launch_index` in its reservation. `changes` is how often it has changed, and
    `order` says in which order it lists tags and security groups.
    """
    dice = random.Random(f"{account}/{index}")
    owner = account_id(account)
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
        _interface(dice, owner, region, number, vpc, subnet, groups, launched)
        for number in range(dice.choice((1, 1, 1, 1, 1, 2, 3)))
    ]
    tags = _tags(dice, owner, index, retagged)
    if order:
        shuffle = random.Random(f"{order}/{index}").shuffle
        for items in (groups, tags):
            shuffle(items)
    primary = interfaces[0]
    return {
        "instanceId": f"i-0{account:04x}{index:012x}",
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
            "arn": f"arn:aws:iam::{owner}:instance-profile/fleet/{WORKLOADS[index % len(WORKLOADS)]}",
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
    dice: random.Random,
    owner: str,
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
        "ownerId": owner,
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


def _tags(dice: random.Random, owner: str, index: int, retagged: int) -> list[dict[str, str]]:
    workload, environment = WORKLOADS[index % len(WORKLOADS)], dice.choice(ENVIRONMENTS)
    words = {
        "account": owner,
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
