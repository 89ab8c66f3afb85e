"""A page of DescribeInstances is taken apart into the same instances however it is written, or it is refused."""

import re
from typing import Any

import pytest
from botocore.model import ListShape, Shape, StructureShape

from app.aws import instance_page
from app.aws.instance_page import MAX_MARKS, PageError, RawInstance, read_page
from app.aws.instance_xml import read_fields, read_instance
from app.aws.records import Reservation
from tests.fakes import ec2_corpus
from tests.fakes.ec2_corpus import COMPACT, INSTANCE, PRETTY, Reserved, Style, everything, instance, page, tags

MEMBERS: tuple[dict[str, Any], ...] = (
    {"InstanceId": "i-1", "KeyName": "a > b", "Tags": tags(Name="web!", note="why? because!")},
    {**everything(), "InstanceId": "i-2"},
    {"InstanceId": "i-3", "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1"}, {}], "Tags": tags(Name="<item>")},
    {"InstanceId": "i-4"},
)


def written(style: Style, token: str | None = "a&b", **changes: Any) -> bytes:
    """Four instances in three reservations, one of which was started by somebody else."""
    one, two, three, four = (instance({**members, **changes}, style) for members in MEMBERS)
    return page(
        [
            Reserved([one, two], "r-1"),
            Reserved([three], "r-2", requester_id="autoscaling"),
            Reserved([four], "r-3", "210987654321"),
        ],
        style,
        token=token,
    )


def told(body: bytes) -> Any:
    """All that a page says."""
    found = read_page(body)
    instances = [(raw.instance_id, raw.reservation, read_fields(raw.xml)) for raw in found.instances]
    return instances, found.next_token, found.request_id


def only(body: bytes) -> RawInstance:
    (found,) = read_page(body).instances
    return found


def read_all(body: bytes) -> list[str]:
    """The ids of all its instances, each of which was read."""
    return [read_instance(raw, "eu-west-1").instance_id for raw in read_page(body).instances]


EXPECTED = told(written(COMPACT))

DECLARED = b'<?xml version="1.0" encoding="UTF-8"?>\n'

#: The same page as somebody else's writer would have it.
WRITTEN: dict[str, bytes] = {
    "indented": written(PRETTY),
    "by tabs": written(Style(indent="\t")),
    "with Windows' line ends": written(PRETTY).replace(b"\n", b"\r\n"),
    "with room in its tags": written(Style(item="<item >")),
    "with its ids last": written(Style(id_first=False)),
    "with a comment before it": written(COMPACT).replace(
        b"<requestId>", b"<!-- <item><instanceId>i-evil</instanceId></item> --><requestId>"
    ),
    "with comments in its instances": written(COMPACT).replace(b"<instanceId>", b"<!-- id --><instanceId>"),
    "with sections": re.sub(
        rb"<instanceId>(.*?)</instanceId>", rb"<instanceId><![CDATA[\1]]></instanceId>", written(PRETTY)
    ),
    "with its ids in numbers": written(COMPACT).replace(b">i-", b">&#105;&#x2D;"),
    "with an instruction": written(PRETTY).replace(b"<reservationSet>", b"<?hint now?><reservationSet>"),
    "with a style sheet": written(COMPACT).replace(DECLARED, DECLARED + b'<?xml-stylesheet href="a.xsl"?>'),
    "without a declaration": written(PRETTY).removeprefix(DECLARED),
    "with a mark of its byte order": b"\xef\xbb\xbf" + written(PRETTY),
    "declared as what it is not": written(PRETTY).replace(b"UTF-8", b"ISO-8859-1"),
    "declared as what it is not, with a comment": written(PRETTY).replace(b"UTF-8", b"ASCII") + b"<!-- -->",
    "without a namespace": re.sub(rb' xmlns="[^"]*"', b"", written(COMPACT)),
    "with a namespace in other quotes": re.sub(rb' xmlns="([^"]*)"', rb" xmlns='\1'", written(COMPACT)),
    "with room round its namespace": written(COMPACT).replace(b' xmlns="', b'\n  xmlns = "'),
    "with a namespace for each instance": written(COMPACT).replace(
        b"<item><instanceId>", b'<item xmlns="urn:x"><instanceId>'
    ),
    "with prefixes": re.sub(rb"<(/?)(?=[a-zA-Z])", rb"<\1ec2:", written(PRETTY)).replace(b"xmlns=", b"xmlns:ec2="),
    "with prefixes on the outside": written(COMPACT)
    .replace(b"DescribeInstancesResponse", b"ec2:DescribeInstancesResponse")
    .replace(b"xmlns=", b"xmlns:ec2="),
    "with an empty reservation": written(COMPACT).replace(
        b"</reservationSet>",
        b"<item><reservationId>r-0</reservationId><instancesSet></instancesSet></item></reservationSet>",
    ),
    "with an empty reservation, in short": written(PRETTY).replace(
        b"<reservationSet>", b"<reservationSet><item><reservationId>r-0</reservationId><instancesSet/></item>"
    ),
    "with elements of tomorrow": written(PRETTY)
    .replace(b"<reservationSet>", b"<warmth><item><degree>3</degree></item></warmth><reservationSet>")
    .replace(b"</reservationSet>", b"</reservationSet><note><item/></note>")
    .replace(b"</instancesSet>", b"</instancesSet><mood><item><instances/></item></mood>"),
}


class TestTheSamePage:
    @pytest.mark.parametrize("how", WRITTEN)
    def test_it_says_the_same_however_it_is_written(self, how: str) -> None:
        assert told(WRITTEN[how]) == EXPECTED

    def test_it_says_what_it_should(self) -> None:
        instances, token, request_id = EXPECTED
        assert [(instance_id, reservation) for instance_id, reservation, _ in instances] == [
            ("i-1", Reservation("r-1", "123456789012", "")),
            ("i-2", Reservation("r-1", "123456789012", "")),
            ("i-3", Reservation("r-2", "123456789012", "autoscaling")),
            ("i-4", Reservation("r-3", "210987654321", "")),
        ]
        assert (token, request_id) == ("a&b", "59dbff89-35bd-4eac-99ed-be587EXAMPLE")
        assert [fields["InstanceId"] for _, _, fields in instances] == ["i-1", "i-2", "i-3", "i-4"]
        assert instances[2][2]["Tags"] == {"Name": "<item>"}

    @pytest.mark.parametrize("style", [COMPACT, PRETTY], ids=["compact", "indented"])
    def test_as_aws_writes_it_nothing_is_copied(self, style: Style) -> None:
        body = written(style)
        xml = [raw.xml for raw in read_page(body).instances]
        assert all(isinstance(part, memoryview) and part.obj is body for part in xml)

    def test_marks_beyond_counting_change_nothing(self) -> None:
        loud = {"Tags": tags(**{f"key{number}": "!?" * 100 for number in range(MAX_MARKS // 200 + 1)})}
        assert told(written(COMPACT, **loud)) == told(written(Style(item="<item >"), **loud))
        assert len(read_page(written(PRETTY, **loud)).instances) == 4

    def test_the_last_page_has_no_token(self) -> None:
        assert read_page(written(PRETTY, token=None)).next_token is None
        assert read_page(
            written(PRETTY, token=None).replace(b"</reservationSet>", b"</reservationSet><nextToken/>")
        ) == (read_page(written(PRETTY, token=None)))

    def test_an_empty_page_is_a_page(self) -> None:
        assert read_page(page([])).instances == ()
        assert read_page(page([], PRETTY, token="more")).next_token == "more"
        assert read_page(page([]).replace(b"<reservationSet></reservationSet>", b"<reservationSet/>")).instances == ()


class TestTheAssumptionOfTheCut:
    def test_no_instance_has_an_instance_id_within(self) -> None:
        """A page is cut at `<instanceId>`: the model knows one in each instance, and it is the instance's own."""

        def places(shape: Shape, path: str) -> list[str]:
            if isinstance(shape, ListShape):
                return places(shape.member, path)
            if not isinstance(shape, StructureShape):
                return []
            own = [path for member in shape.members.values() if member.serialization.get("name") == "instanceId"]
            return own + [place for name, member in shape.members.items() for place in places(member, f"{path}.{name}")]

        assert places(ec2_corpus.OPERATION.output_shape, "") == [".Reservations.Instances"]
        assert places(INSTANCE, "Instance") == ["Instance"]

    @pytest.mark.parametrize("style", [COMPACT, PRETTY], ids=["compact", "indented"])
    @pytest.mark.parametrize(
        "peers",
        [
            "<peer><instanceId>i-9</instanceId></peer>",
            "<peers><item><instanceId>i-9</instanceId></item></peers>",
            "<peers><item><instanceId>i-9</instanceId></item><item><instanceId>i-8</instanceId></item></peers>",
            "<peers><item><color>red</color></item><item><instanceId>i-9</instanceId></item></peers>",
            "<instancesSet><item><instanceId>i-9</instanceId></item></instancesSet>",
        ],
    )
    def test_one_within_is_never_taken_for_an_instance(self, peers: str, style: Style) -> None:
        """Where the cut goes wrong, its parts are no XML: the region is unread until we know what AWS has added."""
        both = [instance({}, style, extra=peers), instance({"InstanceId": "i-2"}, style)]
        found: list[str] | None
        try:
            found = read_all(page([Reserved(both)], style))
        except PageError:
            found = None
        assert found in (None, ["i-0123456789abcdef0", "i-2"])


class TestWhatIsNotAWholePage:
    @pytest.mark.parametrize("style", [COMPACT, PRETTY, Style(item="<item >")], ids=["compact", "indented", "whole"])
    def test_a_page_cut_short_is_refused_wherever_it_was_cut(self, style: Style) -> None:
        body = written(style).rstrip()
        for length in range(0, len(body), max(len(body) // 200, 1)):
            with pytest.raises(PageError):
                read_page(body[:length])
        with pytest.raises(PageError):
            read_page(body[:-1])

    @pytest.mark.parametrize("style", [COMPACT, PRETTY], ids=["compact", "indented"])
    def test_a_page_with_a_hole_is_never_shorter(self, style: Style) -> None:
        """Part of the page is lost on the way. Inside of an instance that shows when the instance is read."""
        body = written(style)
        size = 300 if style is COMPACT else 700
        for start in range(0, len(body) - size, len(body) // 150):
            torn = body[:start] + body[start + size :]
            try:
                read = read_all(torn)
            except PageError:
                continue
            assert len(read) == 4, f"{size} bytes from {start} on are missing, and nobody notices"

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"\xef\xbb\xbf", id="a mark alone"),
            pytest.param(DECLARED, id="a declaration alone"),
            pytest.param(b"<DescribeInstancesResponse/>", id="no list"),
            pytest.param(written(COMPACT).replace(b"reservationSet", b"reservations"), id="another list"),
            pytest.param(written(COMPACT).replace(b"instancesSet", b"instances"), id="no instances"),
            pytest.param(written(COMPACT).replace(b"Describe", b"Delete"), id="another document"),
            pytest.param(written(COMPACT) + b"<more/>", id="something after it"),
            pytest.param(written(COMPACT) * 2, id="twice"),
            pytest.param(written(COMPACT).replace(b"i-3", b""), id="empty id"),
            pytest.param(written(COMPACT).replace(b"i-3", b"vol-3"), id="another id"),
            pytest.param(written(COMPACT).replace(b"i-3", b"i-3 "), id="id with room"),
            pytest.param(written(COMPACT).replace(b"i-3", b"i-" + b"3" * 31), id="id longer than we store"),
            pytest.param(written(COMPACT).replace(b"i-3", "i-\u0663".encode()), id="id in other digits"),
            pytest.param(written(COMPACT).decode().encode("utf-16"), id="UTF-16"),
            pytest.param(b"<x>" * 100_000 + b"</x>" * 100_000, id="deep nesting"),
            pytest.param(
                written(COMPACT).replace(b"<reservationSet>", b"<reservationSet>" + b"<item>" * 100_000),
                id="deeper yet",
            ),
            pytest.param(
                b'<!DOCTYPE r [<!ENTITY x "i-1">]>'
                + written(COMPACT).removeprefix(DECLARED).replace(b">i-3<", b">&x;<"),
                id="an entity for an id",
            ),
            pytest.param(
                b'<!DOCTYPE r [<!ENTITY x "<item/>">]>'
                + written(COMPACT)
                .removeprefix(DECLARED)
                .replace(b"<item><instanceId>i-3", b"&x;<item><instanceId>i-3"),
                id="an entity among the instances",
            ),
        ],
    )
    def test_it_is_refused(self, body: bytes) -> None:
        with pytest.raises(PageError):
            read_page(body)

    @pytest.mark.parametrize("missing", ["i-1", "i-2", "i-3", "i-4"])
    @pytest.mark.parametrize("style", [COMPACT, PRETTY, Style(item="<item >")], ids=["compact", "indented", "whole"])
    def test_an_instance_without_an_id_is_not_left_out(self, style: Style, missing: str) -> None:
        with pytest.raises(PageError):
            read_all(written(style).replace(f"<instanceId>{missing}</instanceId>".encode(), b""))


class TestTheHashOfItsBytes:
    BODY = page([Reserved([instance(MEMBERS[0])], "r-1", requester_id="autoscaling")], token="a")

    def test_it_is_the_same_for_the_same_bytes(self) -> None:
        assert only(self.BODY).raw_hash == only(bytes(bytearray(self.BODY))).raw_hash
        assert re.fullmatch("[0-9a-f]{32}", only(self.BODY).raw_hash)

    def test_it_stays_the_same_from_one_release_to_the_next(self) -> None:
        """Another one means that every instance of every fleet is read anew."""
        body = page([Reserved([instance({"InstanceId": "i-1"})], "r-1")])
        assert only(body).raw_hash == "238fdc65461da89361baef7a925a67ad"

    def test_every_byte_of_the_instance_counts(self) -> None:
        xml = instance(MEMBERS[0])
        before = only(page([Reserved([xml])])).raw_hash
        known = {before}
        for place in range(len("<item><instanceId>i-1</instanceId>"), len(xml) - len("</item>")):
            changed = xml[:place] + chr(ord(xml[place]) ^ 1) + xml[place + 1 :]
            try:
                found = only(page([Reserved([changed])])).raw_hash
            except PageError:  # such as a lost bracket
                continue
            assert found not in known
            known.add(found)
        assert len(known) > 100

    @pytest.mark.parametrize("part", ["r-1", "123456789012", "autoscaling"])
    def test_its_reservation_counts(self, part: str) -> None:
        assert only(self.BODY.replace(part.encode(), part.encode() + b"0")).raw_hash != only(self.BODY).raw_hash

    def test_the_readers_version_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = only(self.BODY).raw_hash
        monkeypatch.setattr(instance_page, "READER_VERSION", instance_page.READER_VERSION + 1)
        assert only(self.BODY).raw_hash != before

    def test_the_rest_of_the_page_does_not_count(self) -> None:
        token, request = self.BODY.replace(b">a<", b">b<"), self.BODY.replace(b"59dbff89", b"00000000")
        assert only(token).raw_hash == only(request).raw_hash == only(self.BODY).raw_hash

    def test_where_on_the_page_it_stands_does_not_count(self) -> None:
        one, two = (instance({"InstanceId": name}, PRETTY) for name in ("i-1", "i-2"))
        forth = {raw.instance_id: raw.raw_hash for raw in read_page(page([Reserved([one, two])], PRETTY)).instances}
        back = {raw.instance_id: raw.raw_hash for raw in read_page(page([Reserved([two, one])], PRETTY)).instances}
        assert forth == back
        apart = page([Reserved([two]), Reserved([one])], PRETTY)
        assert {raw.instance_id: raw.raw_hash for raw in read_page(apart).instances} == forth

    def test_two_instances_in_each_others_reservation_are_two_others(self) -> None:
        one, two = (instance({"InstanceId": name}) for name in ("i-1", "i-2"))
        before = read_page(page([Reserved([one], "r-1"), Reserved([two], "r-2")])).instances
        after = read_page(page([Reserved([two], "r-1"), Reserved([one], "r-2")])).instances
        assert not {raw.raw_hash for raw in before} & {raw.raw_hash for raw in after}
        assert [raw.reservation.reservation_id for raw in after] == ["r-1", "r-2"]
