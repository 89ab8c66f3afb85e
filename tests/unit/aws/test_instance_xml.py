"""What we make of an instance's XML, held against what botocore makes of the same bytes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.parsers import create_parser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.aws.instance_page import PageError, RawInstance, read_page
from app.aws.instance_xml import read_fields, read_instance
from app.aws.kept_fields import KEPT, KEPT_WITHIN, READ
from app.aws.records import Reservation
from tests.fakes import ec2_corpus
from tests.fakes.ec2_corpus import INSTANCE, OPERATION, PRETTY, Markup, Reserved, Style, everything, instance, page

CASES = dict(ec2_corpus.cases())
NOTHING = Reservation("", "", "")


def ours(body: bytes) -> list[dict[str, Any]]:
    """What we read on a page."""
    return [read_fields(raw.xml) for raw in read_page(body).instances]


def botocores(body: bytes) -> list[dict[str, Any]]:
    """What botocore reads on it, of what we keep."""
    response = {"status_code": 200, "headers": {}, "body": body}
    parsed = create_parser("ec2").parse(response, OPERATION.output_shape)
    return [
        _kept(found, "Instance") for reservation in parsed["Reservations"] for found in reservation.get("Instances", ())
    ]


def _kept(value: Any, path: str) -> Any:
    if path == "Instance.Tags":
        return {tag.get("Key", ""): tag.get("Value", "") for tag in value}
    if isinstance(value, dict):
        wanted = {*KEPT, *READ} if path == "Instance" else KEPT_WITHIN.get(path, value)
        return {name: _kept(inner, f"{path}.{name}") for name, inner in value.items() if name in wanted}
    if isinstance(value, list):
        return [_kept(inner, path) for inner in value]
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value


def unordered(value: Any) -> Any:
    """With its lists in one order, whatever it was."""
    if isinstance(value, dict):
        return {name: unordered(inner) for name, inner in sorted(value.items())}
    return sorted(map(unordered, value), key=repr) if isinstance(value, list) else value


class TestWhatBotocoreMakesOfTheSameBytes:
    @pytest.mark.parametrize("name", CASES)
    def test_it_is_what_we_make_of_them(self, name: str) -> None:
        body = page([Reserved([CASES[name]])])
        assert unordered(ours(body)) == unordered(botocores(body))

    def test_it_is_on_a_page_of_all_of_them(self) -> None:
        body = page([Reserved(list(CASES.values()))], PRETTY)
        assert len(ours(body)) == len(CASES)
        assert unordered(ours(body)) == unordered(botocores(body))

    def test_nothing_that_is_kept_is_missing(self) -> None:
        (found,) = ours(page([Reserved([CASES["everything"]])]))
        assert found.keys() == {*KEPT, *READ}
        assert not set(KEPT) & set(READ)

    @pytest.mark.parametrize("path", KEPT_WITHIN)
    def test_nothing_that_is_kept_within_is_missing(self, path: str) -> None:
        (found,) = ours(page([Reserved([CASES["everything"]])]))
        for name in path.split(".")[1:]:
            found = found[name][0] if isinstance(found[name], list) else found[name]
        assert found.keys() == KEPT_WITHIN[path]


# --- any members of the model, with any values -------------------------------------------------------------

characters = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff") | st.sampled_from(
    " \t\n"
)
texts = st.text(characters, max_size=12) | st.sampled_from([*ec2_corpus.TEXTS.values()])
scalars: dict[str, st.SearchStrategy[str]] = {
    "string": texts,
    "integer": st.sampled_from(ec2_corpus.INTEGERS) | st.integers(-(2**31), 2**31 - 1).map(str),
    "boolean": st.sampled_from(ec2_corpus.BOOLEANS),
    "timestamp": st.sampled_from(ec2_corpus.TIMES),
}


def values(shape: Any) -> st.SearchStrategy[Any]:
    """What a member of that shape may hold."""
    if shape.type_name == "structure":
        return st.fixed_dictionaries({}, optional={name: values(member) for name, member in shape.members.items()})
    if shape.type_name == "list":
        return st.lists(values(shape.member), max_size=3)
    return scalars[shape.type_name]


MEMBERS = {name: values(member) for name, member in INSTANCE.members.items() if name != "InstanceId"}


@st.composite
def subsets(draw: st.DrawFn) -> dict[str, Any]:
    """A few members of an instance, in any order."""
    names = draw(st.lists(st.sampled_from(sorted(MEMBERS)), unique=True, max_size=6))
    return {name: draw(MEMBERS[name]) for name in names}


class TestAnyMembersAtAll:
    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(subsets(), st.sampled_from([ec2_corpus.COMPACT, PRETTY, Style(item="<item >"), Style(id_first=False)]))
    def test_they_are_what_botocore_makes_of_them(self, members: dict[str, Any], style: Style) -> None:
        body = page([Reserved([instance(members, style)])], style)
        assert unordered(ours(body)) == unordered(botocores(body))

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(subsets())
    def test_they_make_a_record_or_are_refused(self, members: dict[str, Any]) -> None:
        (raw,) = read_page(page([Reserved([instance(members)])])).instances
        assert read_instance(raw, "eu-west-1").instance_id == raw.instance_id


# --- what is refused ---------------------------------------------------------------------------------------


def refused_by_botocore() -> Iterator[Any]:
    for text in ec2_corpus.NO_INTEGERS:
        yield pytest.param({"AmiLaunchIndex": text}, id=f"integer {text!r}")
        yield pytest.param({"NetworkInterfaces": [{"Attachment": {"DeviceIndex": text}}]}, id=f"inner integer {text!r}")
    for text in ec2_corpus.NO_TIMES:
        yield pytest.param({"LaunchTime": text}, id=f"time {text!r}")
        yield pytest.param({"UsageOperationUpdateTime": text}, id=f"kept time {text!r}")


def damaged(xml: str) -> RawInstance:
    return RawInstance("i-1", "", xml.encode(), NOTHING)


class TestWhatIsRefused:
    @pytest.mark.parametrize("members", list(refused_by_botocore()))
    def test_what_botocore_refuses_is(self, members: dict[str, Any]) -> None:
        body = page([Reserved([instance(members)])])
        with pytest.raises((ValueError, OverflowError)):
            botocores(body)
        with pytest.raises(PageError):
            ours(body)

    @pytest.mark.parametrize(
        "text", ["2147483648", "-2147483649", "99999999999999999999", "9" * 5000], ids=lambda text: text[:24]
    )
    def test_a_number_beyond_those_that_aws_documents_is(self, text: str) -> None:
        with pytest.raises(PageError):
            ours(page([Reserved([instance({"CpuOptions": {"CoreCount": text}})])]))

    @pytest.mark.parametrize(
        "text", ["20261101", "1793520000", "2026-11-01", "2026-11-01x08:00:00Z", "20261101T080000Z"]
    )
    def test_a_time_that_aws_never_writes_is(self, text: str) -> None:
        """botocore takes the first two for seconds since 1970."""
        with pytest.raises(PageError):
            ours(page([Reserved([instance({"LaunchTime": text})])]))

    @pytest.mark.parametrize(
        "xml",
        [
            pytest.param("", id="nothing"),
            pytest.param("<item><instanceId>i-1</instanceId>", id="no end"),
            pytest.param("<item><instanceId>i-1</instanceId><state></item></state>", id="crossed"),
            pytest.param("<item><instanceId>i-1</instanceId></item><item/>", id="two"),
            pytest.param("<item><instanceId>i-1</instanceId>&unknown;</item>", id="entity"),
            pytest.param("<item><instanceId>i-1</instanceId><keyName>&#0;</keyName></item>", id="a null"),
            pytest.param("<item><instanceId>i-1</instanceId><keyName>&#xD800;</keyName></item>", id="half a character"),
            pytest.param("<item><instanceId>i-1</instanceId><x:keyName/></item>", id="unknown prefix"),
            pytest.param("<item><instanceId>i-1</instanceId><keyName>\x01</keyName></item>", id="control character"),
            pytest.param(f"<item>{'<x>' * 100_000}{'</x>' * 100_000}</item>", id="deep nesting"),
            pytest.param("<item><instanceId>i-1</instanceId><instanceId>i-2</instanceId></item>", id="two ids"),
            pytest.param("<item><imageId>ami-1</imageId></item>", id="no id"),
        ],
    )
    def test_what_is_damaged_is(self, xml: str) -> None:
        with pytest.raises(PageError):
            read_instance(damaged(xml), "eu-west-1")

    def test_what_is_no_text_is(self) -> None:
        with pytest.raises(PageError):
            read_fields(b"<item><instanceId>i-1</instanceId><keyName>\xff\xfe</keyName></item>")

    def test_an_entity_is_not_looked_up(self) -> None:
        xml = '<!DOCTYPE item [<!ENTITY x SYSTEM "file:///etc/hostname">]><item><keyName>&x;</keyName></item>'
        with pytest.raises(PageError):
            read_instance(damaged(xml), "eu-west-1")


class TestTheOrderOfLists:
    def test_it_is_ours(self) -> None:
        forth, back = (CASES[name] for name in ("everything", "everything, backwards"))
        assert ours(page([Reserved([forth])])) == ours(page([Reserved([back])]))

    def test_members_without_a_name_are_in_one_order_too(self) -> None:
        members = [{"Description": "b"}, {"NetworkInterfaceId": "eni-1"}, {"Description": "a"}, {}]
        forth, back = (instance({"NetworkInterfaces": listed}) for listed in (members, members[::-1]))
        assert ours(page([Reserved([forth])])) == ours(page([Reserved([back])]))


class TestAnInstanceOfAnotherNamespace:
    """Nobody has seen AWS write one; botocore ignores namespaces, and what is not found would pass for absent."""

    def test_it_is_read_all_the_same(self) -> None:
        xml = instance(everything(), extra='<keyName xmlns="https://elsewhere.example/">web</keyName>')
        (found,) = ours(page([Reserved([xml.replace("<keyName>KeyName text</keyName>", "")])]))
        assert found["KeyName"] == "web"

    def test_text_that_looks_like_one_is_text(self) -> None:
        (found,) = ours(page([Reserved([instance({"KeyName": 'xmlns="x"', "ImageId": Markup("ami-1")})])]))
        assert (found["KeyName"], found["ImageId"]) == ('xmlns="x"', "ami-1")
