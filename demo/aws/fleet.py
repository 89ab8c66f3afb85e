"""What the simulated AWS is filled with: accounts, roles and a fleet that is the same each time it is made."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import InstanceState, StateReason
from moto.moto_api._internal import mock_random

from demo.aws.cloud import SimulatedAws
from demo.aws.prices import ON_DEMAND

#: The installation's own account, and the user it is in AWS; fixed, so that a second run finds the same.
APP_ACCOUNT = "111122223333"
APP_ACCESS_KEY_ID = "AKIADEMOSPOTKEEPER01"
APP_SECRET_ACCESS_KEY = "demo/only/this/simulation/knows/the/key+"  # noqa: S105 - opens nothing but the simulation

#: Keys of the customer who connects by keys.
KEYS = ("AKIADEMOCUSTOMER0001", "demo/customer/secret/of/forty/characters")

IMAGE = "ami-0a1b2c3d4e5f60718"
BORN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Customer:
    """One simulated AWS account: `instances` are spread over its regions."""

    account_id: str
    name: str
    regions: tuple[str, ...]
    instances: int
    spot_share: float


CUSTOMERS = (
    Customer("314159265358", "Shop production", ("us-east-1", "us-west-2", "eu-west-1"), 170, 0.55),
    Customer("271828182845", "Data platform", ("us-east-1", "eu-central-1"), 110, 0.8),
    Customer("061803398874", "Game servers", ("eu-west-1", "eu-central-1", "ap-southeast-1", "us-west-2"), 120, 0.35),
    Customer("141421356237", "Research sandbox", ("us-west-2", "us-east-1"), 40, 0.6),
    Customer("173205080756", "Legacy billing", ("us-east-1",), 15, 0.0),
    Customer("223606797749", "New venture", ("eu-west-1",), 10, 0.5),
)

ROLES = ("web", "api", "worker", "etl", "cache", "build", "ml-train", "queue", "search", "bastion")
STATES = (("running", 16, 78), ("stopped", 80, 15), ("terminated", 48, 7))

#: Tags as people really write them, and worse; every one is to be shown as it is.
ODD_TAGS: tuple[dict[str, str], ...] = (
    {"Name": "quoted \"name\" 'here'", "note": 'it\'s "fine"'},
    {"Name": "<script>alert(1)</script>", "owner": "<img src=x onerror=alert(2)>"},
    {"Name": "=1+1", "formula": '=HYPERLINK("http://example.invalid","click")'},
    {"Name": "🚀 rocket-01", "mood": "🙂 émoji ünïcode 日本語"},
    {"Name": "n" * 255 + "z", "long": "é" * 256},
    {"Name": "empty-value", "blank": ""},
    {"Name": "line\nbreak", "lines": "one\r\ntwo"},
    {"Name": "@SUM(A1)", "plus": "+1", "minus": "-1", "tab": "\tx"},
    {},
)


def seed(cloud: SimulatedAws) -> None:
    """Fill the simulation. Ids, addresses and times are the same in every process that calls this first."""
    cloud.create_user_keys(
        APP_ACCOUNT, "spotkeeper", access_key_id=APP_ACCESS_KEY_ID, secret_access_key=APP_SECRET_ACCESS_KEY
    )
    cloud.create_user_keys(CUSTOMERS[1].account_id, "spotkeeper", access_key_id=KEYS[0], secret_access_key=KEYS[1])
    cloud.deny_region(CUSTOMERS[2].account_id, "ap-southeast-1")
    mock_random.seed(20261122)
    dice = random.Random(20261122)
    for customer in CUSTOMERS:
        for index in range(customer.instances):
            region = customer.regions[min(int(dice.expovariate(1.2)), len(customer.regions) - 1)]
            launch(customer.account_id, region, dice, index, spot_share=customer.spot_share)


def launch(account_id: str, region: str, dice: random.Random, index: int, *, spot_share: float = 0.5) -> Any:
    """One more instance; returns moto's object."""
    is_spot = dice.random() < spot_share
    backend = ec2_backends[account_id][region]
    reservation = backend.run_instances(
        IMAGE,
        1,
        None,
        [],
        instance_type=dice.choice(list(ON_DEMAND)),
        is_instance_type_default=False,
        region_name=region,
        placement=f"{region}{dice.choice('abc')}",
        lifecycle="spot" if is_spot else None,
        tags={"instance": dict(_tags(dice, index))},
        metadata_options={"HttpTokens": dice.choice(("required", "required", "optional"))},
        associate_public_ip=dice.random() < 0.25,
        nics=[],
        security_group_ids=[],
    )
    instance = reservation.instances[0]
    instance.launch_time = BORN + timedelta(minutes=dice.randrange(60 * 24 * 200))
    for nic in instance.nics.values():
        nic.attach_time = instance.launch_time
    for device in instance.block_device_mapping.values():
        device.attach_time = instance.launch_time
    if is_spot:
        instance.spot_instance_request_id = f"sir-{dice.getrandbits(40):010x}"
    _give_state(instance, dice, is_spot=is_spot)
    return instance


def _give_state(instance: Any, dice: random.Random, *, is_spot: bool) -> None:
    name, code, _ = dice.choices(STATES, weights=[weight for *_, weight in STATES])[0]
    if name == "running":
        return
    instance._state = InstanceState(name, code)
    at = instance.launch_time + timedelta(hours=dice.randrange(1, 500))
    if is_spot and dice.random() < 0.6:
        reason = "Server.SpotInstanceTermination" if name == "terminated" else "Server.SpotInstanceShutdown"
        instance.state_reason = StateReason(f"{reason}: Spot instance interrupted", reason)
        instance._reason = f"{reason} ({at:%Y-%m-%d %H:%M:%S} GMT)"
    else:
        reason = "Client.UserInitiatedShutdown"
        instance.state_reason = StateReason(f"{reason}: User initiated shutdown", reason)
        instance._reason = f"User initiated ({at:%Y-%m-%d %H:%M:%S} GMT)"


def _tags(dice: random.Random, index: int) -> Iterator[tuple[str, str]]:
    if index % 12 == 5:
        yield from ODD_TAGS[(index // 12) % len(ODD_TAGS)].items()
        return
    yield "Name", f"{dice.choice(ROLES)}-{index + 1:02d}"
    yield "environment", dice.choice(("production", "production", "staging", "development"))
    yield "team", dice.choice(("platform", "checkout", "growth", "data"))
    if dice.random() < 0.3:
        yield "cost-center", str(dice.randrange(1000, 1020))
