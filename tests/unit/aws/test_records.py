"""AWS's answers made plain, whatever is missing from them or new in them."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.aws.instance_page import read_page
from app.aws.instance_xml import read_instance
from app.aws.kept_fields import KEPT
from app.aws.records import DERIVED, STATES, InstanceRecord, Reservation, instance_record
from tests.fakes import ec2_corpus
from tests.fakes.ec2_corpus import Reserved, instance, page

CASES = dict(ec2_corpus.cases())

FIRST, FIRST_TEXT = datetime(2025, 3, 1, 8, 0, tzinfo=UTC), "2025-03-01T08:00:00+00:00"
LAST, LAST_TEXT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC), "2026-11-01T08:00:00+00:00"


def fields(**changes: Any) -> dict[str, Any]:
    """What the reader of the XML hands over; `...` leaves a member out."""
    told: dict[str, Any] = {
        "InstanceId": "i-0123456789abcdef0",
        "InstanceType": "m5.xlarge",
        "State": {"Code": 16, "Name": "running"},
        "InstanceLifecycle": "spot",
        "SpotInstanceRequestId": "sir-abc",
        "Placement": {"AvailabilityZone": "eu-west-1a", "AvailabilityZoneId": "euw1-az2", "Tenancy": "default"},
        "LaunchTime": LAST_TEXT,
        "PlatformDetails": "Windows with SQL Server Standard",
        "UsageOperation": "RunInstances:0006",
        "Architecture": "x86_64",
        "CpuOptions": {"CoreCount": 2, "ThreadsPerCore": 2},
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0, "AttachTime": FIRST_TEXT}},
            {"NetworkInterfaceId": "eni-2", "Attachment": {"DeviceIndex": 1, "AttachTime": LAST_TEXT}},
        ],
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "a"}, {"GroupId": "sg-2", "GroupName": "b"}],
        "Tags": {"Name": "web", "formula": "=1+1", "empty": ""},
        "StateReason": {"Code": "Server.SpotInstanceTermination", "Message": "taken back"},
        "StateTransitionReason": "User initiated (2019-09-12 16:38:34 GMT)",
        "Operator": {"Managed": True, "Principal": "eks.amazonaws.com"},
        "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/web", "Id": "AIPA"},
        "KeyName": "ops",
    }
    return {name: value for name, value in {**told, **changes}.items() if value is not ...}


def record(**changes: Any) -> InstanceRecord:
    return instance_record(fields(**changes), "eu-west-1")


def metadata(**changes: Any) -> dict[str, Any]:
    """What is stored beside the columns."""
    found: dict[str, Any] = json.loads(record(**changes).metadata)
    return found


def read(xml: str) -> InstanceRecord:
    """The record of an instance that came as XML."""
    (raw,) = read_page(page([Reserved([xml])])).instances
    return read_instance(raw, "eu-west-1")


class TestWhatAwsSays:
    def test_a_full_answer_is_taken_whole(self) -> None:
        found, beside = record(), metadata()
        assert (found.instance_id, found.region) == ("i-0123456789abcdef0", "eu-west-1")
        assert found.instance_type == "m5.xlarge"
        assert (found.state, found.lifecycle) == ("running", "spot")
        assert (found.availability_zone, found.availability_zone_id) == ("eu-west-1a", "euw1-az2")
        assert (found.launched_at, found.first_launched_at) == (LAST, FIRST)
        assert (found.platform, found.usage_operation) == ("Windows with SQL Server Standard", "RunInstances:0006")
        assert (found.state_reason_code, found.state_reason) == ("Server.SpotInstanceTermination", "taken back")
        assert found.state_changed_at == datetime(2019, 9, 12, 16, 38, 34, tzinfo=UTC)
        assert found.name == "web"
        assert found.tags == beside["Tags"] == {"Name": "web", "formula": "=1+1", "empty": ""}
        assert {name: beside[name] for name in DERIVED if name != "Tags"} == {
            "Imds": "required",
            "SecurityGroupIds": ["sg-1", "sg-2"],
            "IamInstanceProfileArn": "arn:aws:iam::123456789012:instance-profile/web",
            "Vcpus": 4,
            "OperatedBy": "eks.amazonaws.com",
        }
        assert (beside["Tenancy"], beside["KeyName"], beside["SpotInstanceRequestId"]) == ("default", "ops", "sir-abc")

    def test_addresses_and_places_are_taken(self) -> None:
        found = record(PrivateIpAddress="10.0.0.1", PublicIpAddress="198.51.100.7", VpcId="vpc-1", SubnetId="subnet-1")
        assert (found.private_ip, found.public_ip) == ("10.0.0.1", "198.51.100.7")
        assert (found.vpc_id, found.subnet_id) == ("vpc-1", "subnet-1")
        assert record(ImageId="ami-1").image_id == "ami-1"

    def test_an_id_is_all_it_needs(self) -> None:
        found = instance_record({"InstanceId": "i-1"}, "eu-west-1")
        assert (found.lifecycle, found.state, found.name) == ("on-demand", "unknown", "")
        assert found.instance_type == "unknown"
        assert found.launched_at is found.first_launched_at is found.state_changed_at is None
        assert found.tags == {}
        beside = json.loads(found.metadata)
        assert {name: value for name, value in beside.items() if value} == {}
        assert beside.keys() >= DERIVED.keys()

    def test_without_an_id_there_is_no_instance(self) -> None:
        with pytest.raises(ValueError, match="without an id"):
            instance_record({"InstanceType": "m5.large"}, "eu-west-1")

    @pytest.mark.parametrize("lifecycle", ["scheduled", "capacity-block", "interruptible-capacity-reservation", "new"])
    def test_a_lifecycle_it_does_not_know_survives(self, lifecycle: str) -> None:
        assert record(InstanceLifecycle=lifecycle).lifecycle == lifecycle

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ({"Code": 272, "Name": "running"}, "running"),
            ({"Code": 272}, "running"),
            ({"Code": 80}, "stopped"),
            ({"Code": 7}, "unknown"),
            ({"Code": -1}, "unknown"),
            ({"Name": "hibernating"}, "hibernating"),
            ({"Name": "", "Code": 48}, "terminated"),
            ({}, "unknown"),
            (..., "unknown"),
        ],
    )
    def test_the_states_name_comes_before_its_code(self, state: Any, expected: str) -> None:
        assert record(State=state).state == expected

    @pytest.mark.parametrize(("code", "name"), STATES.items())
    def test_every_state_has_its_code(self, code: int, name: str) -> None:
        assert record(State={"Code": code | 0x4100}).state == name

    @pytest.mark.parametrize(
        "reason",
        [
            "",
            ...,
            "User initiated",
            "Server.SpotInstanceTermination: taken",
            "User initiated (2019-02-30 16:38:34 GMT)",
            "User initiated (2019-09-12 16:38:34 PST)",
            "User initiated 2019-09-12 16:38:34 GMT",
        ],
    )
    def test_no_time_is_made_up_for_a_state(self, reason: Any) -> None:
        assert record(StateTransitionReason=reason).state_changed_at is None

    @pytest.mark.parametrize(
        ("interfaces", "expected"),
        [
            ([{"Attachment": {"DeviceIndex": 0, "NetworkCardIndex": 1, "AttachTime": FIRST_TEXT}}], None),
            ([{"Attachment": {"DeviceIndex": 0, "NetworkCardIndex": 0, "AttachTime": FIRST_TEXT}}], FIRST),
            ([{"Attachment": {"DeviceIndex": 1, "AttachTime": FIRST_TEXT}}], None),
            ([{"Attachment": {"DeviceIndex": 0}}], None),
            ([{"Attachment": {"AttachTime": FIRST_TEXT}}, {}], None),
            ([], None),
            (..., None),
        ],
    )
    def test_the_first_launch_is_when_the_first_interface_came(self, interfaces: Any, expected: Any) -> None:
        assert record(NetworkInterfaces=interfaces).first_launched_at == expected

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"HttpTokens": "optional", "HttpEndpoint": "enabled"}, "optional"),
            ({"HttpTokens": "required", "HttpEndpoint": "disabled"}, "disabled"),
            ({}, None),
            (..., None),
        ],
    )
    def test_how_the_metadata_service_is_reached(self, options: Any, expected: str | None) -> None:
        assert metadata(MetadataOptions=options)["Imds"] == expected

    @pytest.mark.parametrize(
        ("operator", "expected"),
        [
            ({"Managed": True, "Principal": "eks.amazonaws.com"}, "eks.amazonaws.com"),
            ({"Managed": True}, "managed"),
            ({"Managed": False, "Principal": "eks.amazonaws.com"}, None),
            ({}, None),
            (..., None),
        ],
    )
    def test_who_operates_it(self, operator: Any, expected: str | None) -> None:
        assert metadata(Operator=operator)["OperatedBy"] == expected

    @pytest.mark.parametrize("options", [..., {}, {"CoreCount": 2}, {"CoreCount": 0, "ThreadsPerCore": 2}])
    def test_no_number_of_cpus_is_made_up(self, options: Any) -> None:
        assert metadata(CpuOptions=options)["Vcpus"] is None

    def test_security_groups_without_an_id_are_none(self) -> None:
        groups = [{"GroupId": "sg-2"}, {"GroupName": "classic"}, {"GroupId": "sg-1"}, {"GroupId": "sg-2"}]
        assert metadata(SecurityGroups=groups)["SecurityGroupIds"] == ["sg-1", "sg-2"]

    @pytest.mark.parametrize("text", ["2026-11-01T17:00:00+09:00", "2026-11-01T08:00:00.000Z", "2026-11-01T08:00:00"])
    def test_times_are_utc_wherever_they_come_from(self, text: str) -> None:
        found, same = (read(instance({"LaunchTime": time})) for time in (text, "2026-11-01T08:00:00Z"))
        assert found.launched_at == LAST
        assert found.launched_at.tzinfo is UTC
        assert found.content_hash == same.content_hash

    def test_its_reservation_is_noted(self) -> None:
        found = json.loads(instance_record(fields(), "eu-west-1", Reservation("r-1", "123456789012", "")).metadata)
        assert (found["ReservationId"], found["OwnerId"]) == ("r-1", "123456789012")
        assert "RequesterId" not in found

    def test_what_is_kept_is_kept_as_aws_has_it(self) -> None:
        found = json.loads(read(instance(ec2_corpus.everything())).metadata)
        assert found.keys() >= {*KEPT}
        assert found["Placement"]["PartitionNumber"] == 2
        assert found["BlockDeviceMappings"][0]["Ebs"]["AttachTime"] == LAST_TEXT


class TestTheHash:
    def test_the_order_of_lists_is_noise(self) -> None:
        forth, back = (CASES[name] for name in ("everything", "everything, backwards"))
        assert forth != back
        assert read(forth)[:-1] == read(back)[:-1], "all but the hash of the bytes"

    @pytest.mark.parametrize("name", ["everything, indented", "everything, with room in its tags"])
    def test_how_it_was_written_is_noise(self, name: str) -> None:
        assert read(CASES[name])[:-1] == read(CASES["everything"])[:-1]

    def test_a_field_of_tomorrow_is_noise(self) -> None:
        assert read(CASES["elements of tomorrow"])[:-1] == read(CASES["everything"])[:-1]
        assert record(QuantumEntanglement={"Partner": "i-2"}).content_hash == record().content_hash

    @pytest.mark.parametrize(
        "change",
        [
            {"State": {"Name": "stopped"}},
            {"InstanceType": "m5.large"},
            {"InstanceLifecycle": ...},
            {"PublicIpAddress": "198.51.100.7"},
            {"Tags": {"Name": "db"}},
            {"Tags": {"Name": "web", "formula": "=1+1"}},
            {"EbsOptimized": True},
            {"EbsOptimized": False},
            {"LaunchTime": FIRST_TEXT},
            {"SecurityGroups": []},
            {"IamInstanceProfile": ...},
            {"MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"}},
            {"StateTransitionReason": ""},
            {"KeyName": "others"},
        ],
        ids=str,
    )
    def test_a_change_shows(self, change: dict[str, Any]) -> None:
        assert record(**change).content_hash != record().content_hash

    def test_a_change_of_any_member_that_is_kept_shows(self) -> None:
        whole = ec2_corpus.everything()
        hashes = {name: read(instance({**whole, name: ""})).content_hash for name in KEPT if name not in TYPED}
        assert len({*hashes.values(), read(instance(whole)).content_hash}) == len(hashes) + 1

    def test_another_region_or_reservation_shows(self) -> None:
        here = instance_record(fields(), "eu-west-1", Reservation("r-1", "1", ""))
        assert here.content_hash != instance_record(fields(), "eu-west-2", Reservation("r-1", "1", "")).content_hash
        assert here.content_hash != instance_record(fields(), "eu-west-1", Reservation("r-2", "1", "")).content_hash

    def test_it_stays_the_same_from_one_release_to_the_next(self) -> None:
        """Another one means that every instance of every fleet is written anew, once."""
        assert instance_record({"InstanceId": "i-1"}, "eu-west-1").content_hash == "4d7b32a3f736902f0c056c9b1b5d1e4b"
        assert record().content_hash == "f63170fb1d1f20336c30c3bdad7d80b7"
        assert re.fullmatch("[0-9a-f]{32}", record().content_hash)

    def test_the_hash_of_the_bytes_is_handed_on_and_is_no_content(self) -> None:
        found = instance_record(fields(), "eu-west-1", None, "of the bytes")
        assert found.raw_hash == "of the bytes"
        assert found[:-1] == record()[:-1]


#: Empty text is no value for these.
TYPED = frozenset(name for name in KEPT if ec2_corpus.INSTANCE.members[name].type_name in {"integer", "timestamp"})


class TestAnythingAtAll:
    @settings(max_examples=100, deadline=None)
    @given(
        st.fixed_dictionaries(
            {},
            optional={
                "State": st.fixed_dictionaries(
                    {}, optional={"Code": st.integers(-(2**31), 2**31 - 1), "Name": st.text()}
                ),
                "StateTransitionReason": st.text() | st.from_regex(r"\(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d GMT\)"),
                "Platform": st.text(),
                "KeyName": st.text(),
                "Tags": st.dictionaries(st.text(), st.text(), max_size=5),
                "CpuOptions": st.fixed_dictionaries(
                    {}, optional=dict.fromkeys(("CoreCount", "ThreadsPerCore"), st.integers(-(2**31), 2**31 - 1))
                ),
                "SecurityGroups": st.lists(st.fixed_dictionaries({}, optional={"GroupId": st.text()}), max_size=3),
                "Operator": st.fixed_dictionaries({}, optional={"Managed": st.booleans(), "Principal": st.text()}),
            },
        )
    )
    def test_no_answer_breaks_it(self, told: dict[str, Any]) -> None:
        found = instance_record({**told, "InstanceId": "i-1"}, "eu-west-1")
        assert json.loads(found.metadata)["Tags"] == found.tags
        assert found.state

    @settings(max_examples=50, deadline=None)
    @given(st.dictionaries(st.text(min_size=1, max_size=128), st.text(max_size=256), max_size=20))
    def test_every_tag_comes_through(self, tags: dict[str, str]) -> None:
        assert record(Tags=tags).tags == json.loads(record(Tags=tags).metadata)["Tags"] == tags
