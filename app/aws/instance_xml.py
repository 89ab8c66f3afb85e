"""Parses the XML of one instance into AWS's own names and plain values; imports lxml and botocore.

Which element becomes which name and type is taken from botocore's model of EC2, once; only what is kept is converted.
A test compares the result with botocore's own parse of the same bytes.
"""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from lxml import etree

from app.aws.instance_page import PageError, RawInstance, drop_namespaces, parser
from app.aws.kept_fields import KEPT, KEPT_WITHIN, READ
from app.aws.records import InstanceRecord, instance_record
from app.aws.session import service_model

Convert = Callable[[etree._Element], Any]

#: What members of lists are known by, the first that there is.
NAMED_BY = ("NetworkInterfaceId", "DeviceName", "GroupId", "PrivateIpAddress", "Ipv6Address", "ProductCodeId")

#: How every form of ISO 8601 begins that AWS writes.
_DATE = re.compile(r"\d{4}-\d\d-\d\dT")

_local = threading.local()


def prepare() -> None:
    """Load what reading needs, AWS's model of EC2 above all: half a second and 40 MB, once a process."""
    _plan()


def read_instance(raw: RawInstance, region: str) -> InstanceRecord:
    """The record of one instance.

    Raises:
        PageError: not well-formed, or a value of another type than AWS documents.
    """
    fields = read_fields(raw.xml)
    if fields.get("InstanceId") != raw.instance_id:
        # By one id it would be looked for, and by the other written.
        raise PageError("An instance came damaged.")
    return instance_record(fields, region, raw.reservation, raw.raw_hash)


def read_fields(xml: bytes | memoryview) -> dict[str, Any]:
    """The kept members of one `Reservations[].Instances[]` as botocore names them, but that times are ISO 8601 text in
    UTC, tags are one map, and lists are in an order of ours, for AWS promises none.

    Raises:
        PageError: as `read_instance`.
    """
    try:
        own = bytes(xml)
        root = etree.fromstring(own, _parser())
        if b"xmlns" in own:  # or text that says so
            drop_namespaces(root)
        found: dict[str, Any] = _plan()(root)
    except (etree.XMLSyntaxError, ValueError, OverflowError):
        raise PageError("An instance came damaged.") from None
    return found


def _parser() -> etree.XMLParser:
    found: etree.XMLParser | None = getattr(_local, "parser", None)
    if found is None:
        found = _local.parser = parser()
    return found


@cache
def _plan() -> Convert:
    return _structure(service_model("ec2").shape_for("Instance"), frozenset({*KEPT, *READ}), "Instance")


def _converter(shape: Shape, path: str) -> Convert | None:
    if isinstance(shape, StructureShape):
        return _structure(shape, KEPT_WITHIN.get(path), path)
    if path == "Instance.Tags":
        return _tags
    if isinstance(shape, ListShape):
        return _list(shape, path)
    return _SCALARS[shape.type_name]


def _structure(shape: Shape, kept: frozenset[str] | None, path: str) -> Convert:
    assert isinstance(shape, StructureShape)
    members: dict[str, tuple[str, Convert | None]] = {
        member.serialization.get("name", name): (name, _converter(member, f"{path}.{name}"))
        for name, member in shape.members.items()
        if kept is None or name in kept
    }
    find = members.get

    def convert(element: etree._Element) -> dict[str, Any]:
        found = {}
        for child in element:
            member = find(child.tag)
            if member is not None:
                name, make = member
                # Most are text: not worth a call.
                found[name] = (child.text or "") if make is None else make(child)
        return found

    return convert


def _list(shape: ListShape, path: str) -> Convert:
    member = _converter(shape.member, path) or _text
    order = _order(shape.member)

    def convert(element: etree._Element) -> list[Any]:
        found = [member(child) for child in element]
        if len(found) > 1:
            found.sort(key=order)
        return found

    return convert


def _order(shape: Shape) -> Callable[[Any], Any]:
    """What a list is sorted by: what its members are known by, where they have such a thing."""
    if isinstance(shape, StructureShape):
        name = next((name for name in NAMED_BY if name in shape.members), None)
        if name is not None:
            return lambda item: (item.get(name, ""), repr(item) if name not in item else "")
    return repr


def _tags(element: etree._Element) -> dict[str, str]:
    """The one list that is a map, and often the longest."""
    names, texts = [], []
    for child in element.iter("key", "value"):
        names.append(child.tag)
        texts.append(child.text or "")
    keys = texts[::2]
    if len(keys) == len(element) and names == ["key", "value"] * len(keys):
        return dict(zip(keys, texts[1::2], strict=True))
    # A tag without a value, or in another order.
    return {tag.findtext("key") or "": tag.findtext("value") or "" for tag in element}


def _text(element: etree._Element) -> str:
    return element.text or ""


def _integer(element: etree._Element) -> int:
    found = int(element.text or "")
    if not -(2**31) <= found < 2**31:
        raise ValueError("More than AWS's integers hold.")
    return found


def _boolean(element: etree._Element) -> bool:
    return element.text == "true"


def _time(element: etree._Element) -> str:
    text = element.text or ""
    if not _DATE.match(text):
        raise ValueError("Python reads more than AWS writes.")
    found = datetime.fromisoformat(text)
    if text.endswith(".000Z") and len(text) == 24:  # as AWS always writes it
        return text[:19] + "+00:00"
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)).isoformat()


#: None is text.
_SCALARS: dict[str, Convert | None] = {
    "string": None,
    "integer": _integer,
    "boolean": _boolean,
    "timestamp": _time,
}
