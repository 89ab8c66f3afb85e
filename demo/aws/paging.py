"""Pages of a listing, counted as AWS counts them; moto's own paging follows reservations, not instances.

A listing is taken once, as it is when its first page is asked for, and the tokens lead through that: asking twice
with the same token gives the same page.
"""

import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from demo.aws.answers import RefusalError

#: Listings remembered; the oldest is forgotten, and its tokens expire.
KEPT = 500


@dataclass(frozen=True, slots=True)
class _Place:
    owner: tuple[str, ...]
    items: Sequence[str]
    offset: int
    page: int


class Listings:
    """Where each token leads."""

    def __init__(self) -> None:
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._expired: set[str] = set()

    def clear(self) -> None:
        self._places.clear()
        self._expired.clear()

    def expire(self) -> None:
        """Let all tokens given out so far be too old."""
        self._expired.update(self._places)
        self._places.clear()

    def page_number(self, token: str | None) -> int:
        """Which page a token asks for, from 1; 1 for a token that leads nowhere."""
        place = self._places.get(token or "")
        return place.page if place else 1

    def first(self, owner: tuple[str, ...], items: Sequence[str], size: int) -> tuple[Sequence[str], str | None]:
        """The first `size` items and the token for the rest, if any. `owner` alone may use it."""
        return self._cut(_Place(owner, items, 0, 1), size)

    def next(self, owner: tuple[str, ...], token: str, size: int) -> tuple[Sequence[str], str | None]:
        """The page behind a token. Raises RefusalError for a token that is foreign, unknown or too old."""
        if token in self._expired:
            raise RefusalError("InvalidNextToken", "The specified token is expired.")
        place = self._places.get(token)
        if place is None:
            raise RefusalError("InvalidParameterValue", "Unable to parse pagination token")
        if place.owner != owner:
            raise RefusalError("InvalidNextToken", "The specified token is not valid for this request.")
        return self._cut(place, size)

    def _cut(self, place: _Place, size: int) -> tuple[Sequence[str], str | None]:
        end = place.offset + size
        token = None
        if end < len(place.items):
            token = secrets.token_urlsafe(48)
            self._places[token] = _Place(place.owner, place.items, end, place.page + 1)
            while len(self._places) > KEPT:
                self._places.popitem(last=False)
        return place.items[place.offset : end], token


def page_size(text: str | None, least: int, most: int) -> int:
    """The size asked for, `most` where none is. Raises RefusalError outside the limits."""
    if text is None:
        return most
    if not text.isdigit() or not least <= int(text) <= most:
        raise RefusalError(
            "InvalidParameterValue",
            f"Value ( {text} ) for parameter maxResults is invalid. Expecting a value between {least} and {most}.",
        )
    return int(text)


#: What joins an instance to its reservation's head in a listing's item.
_SEPARATOR = "\x00"


def instance_items(document: bytes) -> list[str]:
    """The instances of a whole answer to DescribeInstances, one item each, with their reservation's head."""
    root = ElementTree.fromstring(document)  # noqa: S314 - moto's own answer
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        # moto writes an empty association where there is no public address; AWS writes none.
        for child in [child for child in element if child.tag.endswith("}association") and not len(child)]:
            element.remove(child)
    items = []
    for reservation in root.findall("reservationSet/item"):
        head = "".join(_text(child) for child in reservation if child.tag != "instancesSet")
        for instance in reservation.findall("instancesSet/item"):
            # First, where AWS has it; moto sorts by name.
            instance[:] = sorted(instance, key=lambda child: child.tag != "instanceId")
        items += [f"{head}{_SEPARATOR}{_text(instance)}" for instance in reservation.findall("instancesSet/item")]
    return items


def reservation_set(items: Sequence[str]) -> str:
    """The XML of a page; neighbors of one reservation stand in one reservation."""
    grouped: OrderedDict[str, list[str]] = OrderedDict()
    for item in items:
        head, _, instance = item.partition(_SEPARATOR)
        grouped.setdefault(head, []).append(instance)
    reservations = "".join(
        f"<item>{head}<instancesSet>{''.join(instances)}</instancesSet></item>" for head, instances in grouped.items()
    )
    return f"<reservationSet>{reservations}</reservationSet>"


def _text(element: ElementTree.Element) -> str:
    return ElementTree.tostring(element, encoding="unicode")
