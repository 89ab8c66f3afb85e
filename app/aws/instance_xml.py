"""Parses the XML of one instance into AWS's own names and plain values; imports lxml and botocore.

Which element becomes which name and type is taken from botocore's model of EC2, once; only what is kept is converted.
A test compares the result with botocore's own parse of the same bytes.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from lxml import etree

from app.aws.instance_page import PageError, RawInstance, parser
from app.aws.records import KEPT, READ, InstanceRecord, instance_record
from app.aws.session import service_model

Convert = Callable[[etree._Element], Any]

_local = threading.local()


def read_instance(raw: RawInstance, region: str) -> InstanceRecord:
    """The record of one instance.

    Raises:
        PageError: not well-formed, or a value of another type than AWS documents.
    """
    return instance_record(read_fields(raw.xml), region, raw.reservation, raw.raw_hash)


def read_fields(xml: bytes) -> dict[str, Any]:
    """The kept members of one `Reservations[].Instances[]` as botocore names them; times are ISO 8601 in UTC, and lists
    are in an order of ours, for AWS promises none.

    Raises:
        PageError: as `read_instance`.
    """
    try:
        found: dict[str, Any] = _plan()(etree.fromstring(xml, _parser()))
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
    return _structure(service_model("ec2").shape_for("Instance"), frozenset({*KEPT, *READ}))


def _converter(shape: Shape) -> Convert:
    if isinstance(shape, StructureShape):
        return _structure(shape, None)
    if isinstance(shape, ListShape):
        return _list(shape)
    return {"string": _text, "integer": _integer, "long": _integer, "boolean": _boolean, "timestamp": _time}[
        shape.type_name
    ]


def _structure(shape: Shape, kept: frozenset[str] | None) -> Convert:
    assert isinstance(shape, StructureShape)
    members: dict[str, tuple[str, Convert]] = {
        member.serialization.get("name", name): (name, _converter(member))
        for name, member in shape.members.items()
        if kept is None or name in kept
    }
    find = members.get

    def convert(element: etree._Element) -> dict[str, Any]:
        found = {}
        for child in element:
            member = find(child.tag)
            if member is not None:
                found[member[0]] = member[1](child)
        return found

    return convert


def _list(shape: ListShape) -> Convert:
    member = _converter(shape.member)

    def convert(element: etree._Element) -> list[Any]:
        found = [member(child) for child in element]
        if len(found) > 1:
            found.sort(key=repr)
        return found

    return convert


def _text(element: etree._Element) -> str:
    return element.text or ""


def _integer(element: etree._Element) -> int:
    return int(element.text or "")


def _boolean(element: etree._Element) -> bool:
    return element.text == "true"


def _time(element: etree._Element) -> str:
    found = datetime.fromisoformat(element.text or "")
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)).isoformat()
