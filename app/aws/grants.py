"""What an account's owner chooses to allow: the inventory always, more by choice; pure, does not import boto3.

The policies to paste, the template, and the questions of the permission check all follow from the same choice.
"""

from collections.abc import Collection, Iterable
from enum import StrEnum


class Grant(StrEnum):
    """What may be allowed beside the inventory."""

    PRICES = "prices"
    """The history of spot prices."""

    EVENTS = "events"
    """Events as they happen: sent by a rule of the account's own, so the role needs nothing for it."""

    ORGANIZATION = "organization"
    """The list of the organization's accounts, through its management account or a delegated one."""


#: What an inventory needs, and no more.
INVENTORY_ACTIONS = (
    "ec2:DescribeRegions",
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeAvailabilityZones",
)
GRANTED_ACTIONS: dict[Grant, tuple[str, ...]] = {
    Grant.PRICES: ("ec2:DescribeSpotPriceHistory",),
    Grant.EVENTS: (),
    Grant.ORGANIZATION: ("organizations:ListAccounts",),
}
#: What is proposed, and what holds for accounts whose owners were never asked.
DEFAULT_GRANTS = frozenset({Grant.PRICES})
ALL_GRANTS = frozenset(Grant)


def read_actions(grants: Collection[Grant] = DEFAULT_GRANTS) -> tuple[str, ...]:
    """The actions that this choice allows, in the order in which they are shown."""
    return INVENTORY_ACTIONS + tuple(action for grant in Grant if grant in grants for action in GRANTED_ACTIONS[grant])


def ec2_actions(grants: Collection[Grant] = DEFAULT_GRANTS) -> tuple[str, ...]:
    """Those of them that belong to EC2, and so can be asked for by a dry run in each region."""
    return tuple(action for action in read_actions(grants) if action.startswith("ec2:"))


def parse_grants(names: Iterable[str]) -> frozenset[Grant]:
    """The known ones of these names: what is not known cannot be granted."""
    return frozenset(grant for grant in Grant if grant.value in set(names))
