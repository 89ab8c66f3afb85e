"""A made-up EC2 fleet as DescribeInstances would tell it: the same bytes for the same numbers, on any machine.

    fleet = Fleet(instances=10_000, regions=4)
    fleet.reservations("us-east-1")                        # rendered <item> elements of reservationSet
    replace(fleet, generation=1).reservations("us-east-1") # the same a while later: 1% of the instances differ
    replace(fleet, order=1).reservations("us-east-1")      # other bytes, same content

An instance has about 12 KB and 125 values, as real ones with one to three network interfaces and a dozen tags have.
The names are those of botocore's ec2 service model; their order and the indentation are those of the EC2 API
reference's example answer to DescribeInstances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.ec2_instance import account_id, make_instance

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
        members = [
            make_instance(
                self.account,
                region,
                first + launch,
                launch_index=launch,
                changes=self.changes(first + launch),
                order=self.order,
            )
            for launch in range(count)
        ]
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
