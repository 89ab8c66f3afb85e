"""Fills the simulated AWS with the demo's customers, the same in every run.

The demo keeps its database while the simulation starts afresh, so ids, addresses, times and keys must come out as
they did before: moto's source of randomness is seeded anew for each account and region, and times count from a fixed
moment.
"""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from moto.ec2.models.instances import Instance, StateReason
from moto.moto_api._internal import mock_random

from demo.aws.accounts import CustomerAccount, Fleet
from demo.aws.cloud import SimulatedAws
from demo.aws.instances import complete_instances
from demo.aws.regions import ENABLED
from demo.aws.trust import trust_policy
from demo.aws.workloads import AWKWARD_TAGS, Workload, pick, tags_for

#: "Now" for what is seeded: nothing was started later.
EPOCH = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
INSTALLATION_ACCOUNT = "555500001111"
ROLE_NAME = "SpotkeeperReadOnly"
#: How an account's instances spread over the regions.
_SHARES = dict(zip(ENABLED, (5, 3, 4, 2, 1), strict=True))
_ZONES = "abc"
_INSTALLATION_PERMISSIONS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole", "pricing:GetProducts"], "Resource": "*"}],
}


#: account id, name, purpose, instances
_CUSTOMERS = (
    ("012345678901", "Shop production", "role", 150),
    ("210987654321", "Data platform", "role", 125),
    ("345678901234", "Media archive", "keys", 95),
    ("456789012345", "Staging", "denied_region", 75),
    ("567890123456", "Sandbox", "any_external_id", 25),
    ("678901234567", "Legacy", "revoked_keys", 20),
    ("789012345678", "Games", "by_hand", 60),
    ("890123456789", "Studio", "by_hand", 30),
)


def seed(cloud: SimulatedAws, *, epoch: datetime = EPOCH) -> Fleet:
    """Make the customers' accounts, roles, keys and instances in an empty simulation.

    Roles trust the installation's account with an External ID that nobody has, until `set_role_trust` (or
    `POST /_simulation/roles`) tells them the one which Spotkeeper made.
    """
    mock_random.seed("installation")
    installation = cloud.create_user_keys(INSTALLATION_ACCOUNT, "spotkeeper", _INSTALLATION_PERMISSIONS)
    accounts = tuple(_seed_customer(cloud, *customer, epoch=epoch) for customer in _CUSTOMERS)
    # What is made from here on need not be the same in each run, and sessions should not be.
    mock_random.seed()
    fleet = Fleet(installation, accounts, ENABLED, sum(account.instance_count for account in accounts))
    cloud.fleet = fleet
    return fleet


def _seed_customer(
    cloud: SimulatedAws, account_id: str, name: str, purpose: str, count: int, *, epoch: datetime
) -> CustomerAccount:
    mock_random.seed(account_id)
    keys = None
    if purpose in ("keys", "revoked_keys"):
        keys = cloud.create_user_keys(account_id, "spotkeeper-reader")
        if purpose == "revoked_keys":
            cloud.revoke_keys(keys)
    elif purpose != "by_hand":
        cloud.create_role(account_id, ROLE_NAME, _trust(purpose))
    if purpose == "denied_region":
        cloud.deny_region(account_id, "ap-southeast-1")
    left = count
    for region, share in _SHARES.items():
        here = min(left, -(-count * share // sum(_SHARES.values())))
        left -= here
        mock_random.seed(f"{account_id}/{region}")
        _seed_region(cloud, account_id, region, here, epoch)
    role_arn = f"arn:aws:iam::{account_id}:role/{ROLE_NAME}"
    return CustomerAccount(account_id, name, purpose, ROLE_NAME, role_arn, keys, count)


def _trust(purpose: str) -> dict[str, Any]:
    external_id = None if purpose == "any_external_id" else "not-told-yet-0000000000000000"
    return trust_policy(f"arn:aws:iam::{INSTALLATION_ACCOUNT}:root", external_id)


def _seed_region(cloud: SimulatedAws, account_id: str, region: str, count: int, epoch: datetime) -> None:
    random = Random(f"{account_id}/{region}")
    awkward = list(AWKWARD_TAGS) if region == ENABLED[0] else []
    numbers: dict[str, int] = {}
    left = count
    while left:
        workload = pick(random)
        together = min(left, random.choice((1, 1, 1, 2, 3)))
        left -= together
        made = cloud.run_instances(
            account_id,
            region,
            together,
            instance_type=workload.instance_type,
            zone=f"{region}{random.choice(_ZONES)}",
            lifecycle=workload.lifecycle,
            platform=workload.platform,
            has_public_ip=workload.has_public_ip,
            metadata_options={"HttpTokens": random.choice(("required", "required", "optional"))},
        )
        for instance in made:
            numbers[workload.name] = number = numbers.get(workload.name, 0) + 1
            tags = awkward.pop() if awkward else tags_for(workload, number, random)
            _settle(instance, workload, tags, random, epoch)
    complete_instances(account_id, region)


def _settle(instance: Instance, workload: Workload, tags: dict[str, str], random: Random, epoch: datetime) -> None:
    """Give an instance its past: when it was started, and what has become of it."""
    made: Any = instance
    instance.add_tags(tags)
    if workload.instance_type.startswith("c7g."):
        made.architecture = "arm64"
        made.cpu_options = {"CoreCount": 4, "ThreadsPerCore": 1}
    if not workload.is_spot and random.random() < 0.6:
        profile = f"arn:aws:iam::{instance.owner_id}:instance-profile/{workload.name}"
        made.iam_instance_profile = {"Arn": profile, "Id": f"AIPA{instance.id[2:].upper():0<17}"}
        made.key_name = "operations"
    started = epoch - timedelta(minutes=random.randrange(20, 60 * 24 * (9 if workload.is_spot else 200)))
    first = started - timedelta(days=random.choice((0, 0, 0, 12, 45)) if not workload.is_spot else 0)
    made.launch_time = started.replace(tzinfo=None)
    for interface in instance.nics.values():
        interface.attach_time = first.replace(tzinfo=None)
    for _, disk in instance.get_block_device_mapping:
        disk.attach_time = first.replace(tzinfo=None)
    fate = random.random()
    ended = started + (epoch - started) * random.uniform(0.2, 0.95)
    if workload.is_spot and fate < 0.08:
        instance.terminate()
        _explain(made, "", "Server.SpotInstanceTermination", "Spot instance termination")
    elif fate < 0.03:
        instance.terminate()
        _explain(made, _by_user(ended), "Client.UserInitiatedShutdown", "User initiated shutdown")
    elif not workload.is_spot and fate < 0.22:
        instance.stop()
        _explain(made, _by_user(ended), "Client.UserInitiatedShutdown", "User initiated shutdown")
    elif not workload.is_spot and fate < 0.25:
        instance.stop()
        _explain(made, "", "Server.ScheduledStop", "Stopped due to a scheduled retirement")


def _by_user(when: datetime) -> str:
    return f"User initiated ({when:%Y-%m-%d %H:%M:%S} GMT)"


def _explain(instance: Any, transition: str, code: str, message: str) -> None:
    instance._reason = transition
    instance.state_reason = StateReason(f"{code}: {message}", code)
