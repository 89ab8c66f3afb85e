"""What moto leaves out of an instance and AWS always says: platform, billing code, zone id, CPU options.

moto's answers are drawn from the attributes of its objects, so what is set here is what comes out.
"""

from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance

#: Virtual CPUs; two threads a core, but on Graviton.
VCPUS = {
    "micro": 2,
    "small": 2,
    "medium": 2,
    "large": 2,
    "xlarge": 4,
    "2xlarge": 8,
    "4xlarge": 16,
}
#: PlatformDetails -> UsageOperation (EC2 guide, "AMI billing information fields").
USAGE_OPERATIONS = {
    "Linux/UNIX": "RunInstances",
    "Windows": "RunInstances:0002",
    "Red Hat Enterprise Linux": "RunInstances:0010",
    "SUSE Linux": "RunInstances:000g",
    "SQL Server Standard": "RunInstances:0004",
    "Windows BYOL": "RunInstances:0800",
}


def complete_instances(account_id: str, region: str) -> None:
    """Complete every instance of an account's region, however it was made. Doing it again changes nothing."""
    backend = ec2_backends[account_id][region]
    zones = {zone.name: zone.zone_id for zone in backend.describe_availability_zones()}
    for reservation in list(backend.reservations.values()):
        for instance in reservation.instances:
            _complete(instance, zones)


def set_platform(instance: Instance, details: str) -> None:
    """Say which operating system is billed; `platform` is AWS's old field, windows or nothing."""
    made: Any = instance
    made.platform_details = details
    made.usage_operation = USAGE_OPERATIONS[details]
    made.platform = "windows" if details.startswith("Windows") else None


def _complete(instance: Instance, zones: dict[str, str]) -> None:
    made: Any = instance
    if getattr(made, "platform_details", None) is None:
        set_platform(instance, "Windows" if made.platform == "windows" else "Linux/UNIX")
    if getattr(made.placement, "availability_zone_id", None) is None:
        made.placement.availability_zone_id = zones.get(str(made.placement.zone))
    if getattr(made, "cpu_options", None) is None:
        vcpus = VCPUS.get(made.instance_type.rpartition(".")[2], 2)
        threads = 1 if made.architecture == "arm64" else 2
        made.cpu_options = {"CoreCount": max(vcpus // threads, 1), "ThreadsPerCore": threads}
    if made.lifecycle == "spot" and getattr(made, "spot_instance_request_id", None) is None:
        made.spot_instance_request_id = f"sir-{made.id[-8:]}"
    made.kernel_id = None if made.kernel_id == "None" else made.kernel_id
    # AWS gives a reason only to what is not running, and writes GMT.
    if made.state_reason is not None and not made.state_reason.code:
        made.state_reason = None
    made._reason = made._reason.replace(" UTC)", " GMT)")
