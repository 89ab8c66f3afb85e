"""Pages DescribeInstances as AWS does, by instances: moto pages by reservations."""

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

from demo.aws.answers import Answer, AwsError, ec2

NAMESPACE = re.compile(rb' xmlns="[^"]*"')

#: moto leaves these out; AWS never does.
ALWAYS_THERE = {"platformDetails": "Linux/UNIX", "usageOperation": "RunInstances"}

Item = tuple[ET.Element, ET.Element]
Fetch = Callable[[dict[str, str]], bytes]


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is still to be listed under a token."""

    account_id: str
    region: str
    items: list[Item]
    page: int


class Listing:
    """Hands out pages; a token is good once or more often, in its own account and region."""

    def __init__(self) -> None:
        self._rests: dict[str, _Rest] = {}

    def page_number(self, token: str) -> int:
        """Which page a token leads to, counting from 1."""
        return self._rests[token].page if token in self._rests else 1

    def page(self, fetch: Fetch, params: dict[str, str], *, account_id: str, region: str) -> Answer:
        """One page, beginning where the token says."""
        token, size = params.get("NextToken", ""), int(params.get("MaxResults", "1000"))
        if not 5 <= size <= 1000:
            raise AwsError("InvalidParameterValue", f"Value ({size}) for parameter maxResults is invalid.", 400)
        if token:
            rest = self._rests.get(token)
            if rest is None or (rest.account_id, rest.region) != (account_id, region):
                raise AwsError("InvalidParameterValue", "Invalid value for NextToken.", 400)
            items, number = rest.items, rest.page
        else:
            items, number = list(_fetch_all(fetch, params)), 1
        inner = _render(items[:size], region)
        if len(items) > size:
            following = uuid4().hex
            self._rests[following] = _Rest(account_id, region, items[size:], number + 1)
            inner += f"<nextToken>{following}</nextToken>"
        return ec2("DescribeInstances", inner)


def _fetch_all(fetch: Fetch, params: dict[str, str]) -> Iterator[Item]:
    asked = {name: value for name, value in params.items() if name not in {"MaxResults", "NextToken"}}
    token = ""
    while True:
        answer = fetch({**asked, "MaxResults": "1000"} | ({"NextToken": token} if token else {}))
        root = ET.fromstring(NAMESPACE.sub(b"", answer))  # noqa: S314 - moto's own answer
        for reservation in root.iterfind("reservationSet/item"):
            instances = reservation.find("instancesSet")
            found = list(instances) if instances is not None else []
            head = copy.copy(reservation)
            for child in list(head):
                if child.tag == "instancesSet":
                    head.remove(child)
            for instance in found:
                yield head, instance
        token = root.findtext("nextToken") or ""
        if not token:
            return


def _render(items: list[Item], region: str) -> str:
    parts: list[str] = []
    for index, (head, instance) in enumerate(items):
        is_first = index == 0 or items[index - 1][0] is not head
        if is_first:
            if parts:
                parts.append("</instancesSet></item>")
            parts.append("<item>" + "".join(_text(child) for child in head) + "<instancesSet>")
        parts.append(_text(_completed(instance, region)))
    if parts:
        parts.append("</instancesSet></item>")
    return f"<reservationSet>{''.join(parts)}</reservationSet>"


def _completed(instance: ET.Element, region: str) -> ET.Element:
    for name, value in ALWAYS_THERE.items():
        if instance.find(name) is None:
            ET.SubElement(instance, name).text = value
    placement = instance.find("placement")
    if placement is not None and placement.find("availabilityZoneId") is None:
        zone = placement.findtext("availabilityZone") or f"{region}a"
        ET.SubElement(placement, "availabilityZoneId").text = zone_id(zone)
    return instance


def zone_id(zone: str) -> str:
    """The zone's physical id: `us-east-1a` is `use1-az1` here, though in real accounts the order differs."""
    region, letter = zone[:-1], zone[-1]
    first, *middle, number = region.split("-")
    short = first + "".join(_direction(part) for part in middle) + number
    return f"{short}-az{ord(letter) - ord('a') + 1}"


def _direction(word: str) -> str:
    if len(word) > 5 and word[:5] in ("north", "south"):
        return word[0] + word[5]
    return word[0]


def _text(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode")
