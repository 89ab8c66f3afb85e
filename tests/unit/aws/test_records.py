"""AWS's answers made plain, whatever is missing from them or new in them."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.aws.records import CONTENT_FIELDS, KEPT, instance_record

FIRST = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)
LAST = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


def raw(**changes):
    instance = {
        "InstanceId": "i-0123456789abcdef0",
        "InstanceType": "m5.xlarge",
        "State": {"Code": 16, "Name": "running"},
        "InstanceLifecycle": "spot",
        "SpotInstanceRequestId": "sir-abc",
        "Placement": {"AvailabilityZone": "eu-west-1a", "AvailabilityZoneId": "euw1-az2", "Tenancy": "default"},
        "LaunchTime": LAST,
        "PlatformDetails": "Windows with SQL Server Standard",
        "UsageOperation": "RunInstances:0006",
        "Architecture": "x86_64",
        "CpuOptions": {"CoreCount": 2, "ThreadsPerCore": 2},
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "NetworkInterfaces": [
            {"NetworkInterfaceId": "eni-2", "Attachment": {"DeviceIndex": 1, "AttachTime": LAST}},
            {"NetworkInterfaceId": "eni-1", "Attachment": {"DeviceIndex": 0, "AttachTime": FIRST}},
        ],
        "SecurityGroups": [{"GroupId": "sg-2", "GroupName": "b"}, {"GroupId": "sg-1", "GroupName": "a"}],
        "Tags": [{"Key": "Name", "Value": "web"}, {"Key": "formula", "Value": "=1+1"}, {"Key": "empty"}],
        "StateReason": {"Code": "Server.SpotInstanceTermination", "Message": "taken back"},
        "StateTransitionReason": "User initiated (2019-09-12 16:38:34 GMT)",
        "Operator": {"Managed": True, "Principal": "eks.amazonaws.com"},
        "IamInstanceProfile": {"Arn": "arn:aws:iam::123456789012:instance-profile/web", "Id": "AIPA"},
    }
    instance.update(changes)
    return {name: value for name, value in instance.items() if value is not ...}


def record(**changes):
    return instance_record(raw(**changes), "eu-west-1")


class TestWhatAwsSays:
    def test_a_full_answer_is_taken_whole(self):
        found = record()
        assert found.lifecycle == "spot"
        assert found.launched_at == LAST
        assert found.first_launched_at == FIRST
        assert found.platform == "Windows with SQL Server Standard"
        assert found.vcpus == 4
        assert found.imds == "required"
        assert found.operator == "eks.amazonaws.com"
        assert found.security_groups == ("sg-1", "sg-2")
        assert found.tags == {"Name": "web", "formula": "=1+1", "empty": ""}
        assert found.name == "web"
        assert found.state_changed_at == datetime(2019, 9, 12, 16, 38, 34, tzinfo=UTC)
        assert found.availability_zone_id == "euw1-az2"

    def test_an_id_is_all_it_needs(self):
        found = instance_record({"InstanceId": "i-1"}, "eu-west-1")
        assert (found.lifecycle, found.state, found.name) == ("on-demand", "unknown", "")
        assert found.instance_type == "unknown"
        assert found.launched_at is found.vcpus is found.imds is found.operator is found.state_changed_at is None
        assert (found.tags, found.metadata, found.security_groups) == ({}, {}, ())

    def test_without_an_id_there_is_no_instance(self):
        with pytest.raises(ValueError, match="without an id"):
            instance_record({"InstanceType": "m5.large"}, "eu-west-1")

    @pytest.mark.parametrize("lifecycle", ["scheduled", "capacity-block", "interruptible-capacity-reservation", "new"])
    def test_a_lifecycle_it_does_not_know_survives(self, lifecycle):
        assert record(InstanceLifecycle=lifecycle).lifecycle == lifecycle

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ({"Code": 272, "Name": "running"}, "running"),
            ({"Code": 272}, "running"),
            ({"Code": 80}, "stopped"),
            ({"Code": 7}, "unknown"),
            ({"Name": "hibernating"}, "hibernating"),
            (..., "unknown"),
        ],
    )
    def test_the_states_name_comes_before_its_code(self, state, expected):
        assert record(State=state).state == expected

    @pytest.mark.parametrize(
        "reason",
        [
            "",
            ...,
            "User initiated",
            "Server.SpotInstanceTermination: taken",
            "User initiated (2019-02-30 16:38:34 GMT)",
        ],
    )
    def test_no_time_is_made_up_for_a_state(self, reason):
        assert record(StateTransitionReason=reason).state_changed_at is None

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"HttpTokens": "optional", "HttpEndpoint": "enabled"}, "optional"),
            ({"HttpTokens": "required", "HttpEndpoint": "disabled"}, "disabled"),
            ({}, None),
            (..., None),
        ],
    )
    def test_how_the_metadata_service_is_reached(self, options, expected):
        assert record(MetadataOptions=options).imds == expected

    def test_an_unmanaged_instance_has_no_operator(self):
        assert record(Operator={"Managed": False}).operator is None

    def test_times_are_utc_wherever_they_come_from(self):
        east = LAST.astimezone(timezone(timedelta(hours=9)))
        assert record(LaunchTime=east).launched_at.tzinfo is UTC
        assert record(LaunchTime=east) == record()

    def test_its_reservation_is_noted(self):
        found = instance_record(raw(), "eu-west-1", {"ReservationId": "r-1", "OwnerId": "123456789012"})
        assert (found.metadata["ReservationId"], found.metadata["OwnerId"]) == ("r-1", "123456789012")


class TestTheHash:
    def test_the_order_of_lists_is_noise(self):
        turned = raw()
        for name in ("Tags", "SecurityGroups", "NetworkInterfaces"):
            turned[name] = turned[name][::-1]
        assert instance_record(turned, "eu-west-1").content_hash == record().content_hash

    def test_a_field_of_tomorrow_is_noise(self):
        assert record(QuantumEntanglement={"Partner": "i-2"}).content_hash == record().content_hash

    @pytest.mark.parametrize(
        "change",
        [
            {"State": {"Name": "stopped"}},
            {"InstanceType": "m5.large"},
            {"InstanceLifecycle": ...},
            {"PublicIpAddress": "198.51.100.7"},
            {"Tags": [{"Key": "Name", "Value": "db"}]},
            {"EbsOptimized": True},
            {"LaunchTime": FIRST},
        ],
    )
    def test_a_change_shows(self, change):
        assert record(**change).content_hash != record().content_hash

    def test_it_stays_the_same_from_one_release_to_the_next(self):
        bare = instance_record({"InstanceId": "i-1"}, "eu-west-1")
        assert bare.content_hash == "ad18d48d943f07483032b810c624a965a744506b595f3a90000e59f9c1e471e3"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes()
anything = st.recursive(
    scalars | st.datetimes(timezones=st.timezones()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    *KEPT,
    "Tags",
    "State",
    "StateReason",
    "LaunchTime",
    "InstanceType",
    "IamInstanceProfile",
    "KeyName",
    "NewField",
)


class TestAnythingAtAll:
    @given(st.dictionaries(st.sampled_from(FIELDS), anything, max_size=6))
    def test_no_answer_breaks_it(self, fields):
        found = instance_record({**fields, "InstanceId": "i-1"}, "eu-west-1")
        text = json.dumps({name: getattr(found, name) for name in ("metadata", "tags")}, allow_nan=False)
        assert "\\u0000" not in text
        assert len(found.content_hash) == 64
        assert all(hasattr(found, name) for name in CONTENT_FIELDS)

    @given(st.dictionaries(st.text(min_size=1, max_size=128), st.text(max_size=256), max_size=20))
    def test_every_tag_comes_through(self, tags):
        storable = {k: v for k, v in tags.items() if "\x00" not in k + v}
        listed = [{"Key": key, "Value": value} for key, value in storable.items()]
        assert record(Tags=listed).tags == storable
