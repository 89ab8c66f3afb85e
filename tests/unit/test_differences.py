"""What of an instance's new description becomes history, and what does not."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.aws.records import InstanceRecord, instance_record
from app.models import Instance
from app.models.instance import MISSING
from app.models.instance_change import FACTS, FIELDS
from app.models.types import ChangeKind
from app.services.discovery.differences import Difference, appearance, differences

STARTED, STOPPED = "2026-11-01T08:00:00+00:00", "2026-11-02 09:30:00"
ROLE = "arn:aws:iam::123456789012:instance-profile/"

FACTS_OF_ONE: dict[str, Any] = {
    "InstanceId": "i-1",
    "InstanceType": "m5.large",
    "State": {"Name": "running"},
    "LaunchTime": STARTED,
    "PrivateIpAddress": "10.0.0.1",
    "PublicIpAddress": "198.51.100.7",
    "ImageId": "ami-1",
    "UsageOperation": "RunInstances",
    "IamInstanceProfile": {"Arn": f"{ROLE}web"},
    "MetadataOptions": {"HttpTokens": "optional", "HttpEndpoint": "enabled"},
    "SecurityGroups": [{"GroupId": "sg-1"}, {"GroupId": "sg-2"}],
    "NetworkInterfaces": [{"Attachment": {"DeviceIndex": 0, "AttachTime": "2025-03-01T08:00:00+00:00"}}],
    "Tags": {"Name": "web", "team": "shop", "cost": "7"},
}


def record(**changes: Any) -> InstanceRecord:
    told = {**FACTS_OF_ONE, **changes}
    return instance_record({name: value for name, value in told.items() if value is not ...}, "eu-west-1")


def stored(record: InstanceRecord, **changes: Any) -> dict[str, Any]:
    """The columns that are compared, as the database returns them."""
    names = (*FIELDS, "launched_at", "state_changed_at")
    facts = {"instance_metadata": json.loads(record.metadata)}
    return {name: getattr(record, name) for name in names} | facts | changes


def told(before: Mapping[str, Any], **changes: Any) -> list[Difference]:
    return list(differences(before, record(**changes)))


def changed(field: str, before: Any, after: Any, happened_at: datetime | None = None) -> Difference:
    return Difference(ChangeKind.CHANGED, field, before, after, happened_at)


ONE = stored(record())
BOTH = {"HttpTokens": "required", "HttpEndpoint": "enabled"}


class TestOneChange:
    """Each is one row, and nothing else is."""

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"State": {"Name": "stopping"}}, changed("state", "running", "stopping")),
            ({"State": {"Name": "hibernating"}}, changed("state", "running", "hibernating")),
            ({"InstanceType": "m5.xlarge"}, changed("instance_type", "m5.large", "m5.xlarge")),
            ({"InstanceLifecycle": "spot"}, changed("lifecycle", "on-demand", "spot")),
            ({"PrivateIpAddress": "10.0.0.2"}, changed("private_ip", "10.0.0.1", "10.0.0.2")),
            ({"PublicIpAddress": ...}, changed("public_ip", "198.51.100.7", "")),
            ({"ImageId": "ami-2"}, changed("image_id", "ami-1", "ami-2")),
            ({"UsageOperation": "RunInstances:0002"}, changed("usage_operation", "RunInstances", "RunInstances:0002")),
            (
                {"IamInstanceProfile": {"Arn": f"{ROLE}db"}},
                changed("IamInstanceProfileArn", f"{ROLE}web", f"{ROLE}db"),
            ),
            ({"IamInstanceProfile": ...}, changed("IamInstanceProfileArn", f"{ROLE}web", None)),
            ({"MetadataOptions": BOTH}, changed("Imds", "optional", "required")),
            ({"MetadataOptions": {"HttpEndpoint": "disabled"}}, changed("Imds", "optional", "disabled")),
            ({"SecurityGroups": [{"GroupId": "sg-2"}]}, changed("SecurityGroupIds", ["sg-1", "sg-2"], ["sg-2"])),
            (
                {"Operator": {"Managed": True, "Principal": "eks.amazonaws.com"}},
                changed("OperatedBy", None, "eks.amazonaws.com"),
            ),
            (
                {"Tags": {"Name": "db", "team": "shop", "cost": "7"}},
                changed("name", "web", "db"),
            ),
            (
                {"Tags": {"team": "shop", "cost": "7"}},
                changed("name", "web", ""),
            ),
            (
                {"Tags": {"Name": "web", "team": "pay", "cost": "7"}},
                changed("Tags", {"team": "shop"}, {"team": "pay"}),
            ),
            (
                {"Tags": {"Name": "web", "team": "shop", "cost": "7", "new": ""}},
                changed("Tags", {}, {"new": ""}),
            ),
            (
                {"Tags": {"Name": "web", "new": "1", "cost": "8"}},
                changed("Tags", {"cost": "7", "team": "shop"}, {"cost": "8", "new": "1"}),
            ),
        ],
        ids=lambda value: "" if isinstance(value, Difference) else str(value),
    )
    def test_it_is_told_once_with_before_and_after(self, change: dict[str, Any], expected: Difference) -> None:
        assert told(ONE, **change) == [expected]

    def test_every_field_and_fact_is_looked_at(self) -> None:
        other = record(
            InstanceType="t3.micro",
            State={"Name": "stopped"},
            InstanceLifecycle="spot",
            PrivateIpAddress="10.0.0.9",
            PublicIpAddress=...,
            ImageId="ami-9",
            UsageOperation="RunInstances:0010",
            IamInstanceProfile=...,
            MetadataOptions=BOTH,
            SecurityGroups=[],
            Operator={"Managed": True},
            Tags={},
        )
        assert [found.field for found in differences(ONE, other)] == [*FIELDS, *FACTS, "Tags"]
        assert set(FIELDS) <= set(Instance.__table__.columns.keys())

    def test_both_the_name_and_another_tag_are_two_rows(self) -> None:
        assert told(ONE, Tags={"Name": "db", "team": "pay", "cost": "7"}) == [
            changed("name", "web", "db"),
            changed("Tags", {"team": "shop"}, {"team": "pay"}),
        ]

    def test_appearing_tells_the_state_and_the_true_first_launch(self) -> None:
        first = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)
        assert appearance(record()) == Difference(ChangeKind.APPEARED, "state", None, "running", first)


class TestWhenItHappened:
    STOP = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
    START = datetime(2026, 11, 3, 7, 0, tzinfo=UTC)

    def test_a_stop_has_the_time_of_its_reason(self) -> None:
        assert told(ONE, State={"Name": "stopped"}, StateTransitionReason=f"User initiated ({STOPPED} GMT)") == [
            changed("state", "running", "stopped", self.STOP)
        ]

    def test_a_start_has_the_time_of_the_launch(self) -> None:
        before = stored(record(State={"Name": "stopped"}, StateTransitionReason=f"User initiated ({STOPPED} GMT)"))
        assert told(before, LaunchTime=self.START.isoformat()) == [changed("state", "stopped", "running", self.START)]

    def test_no_time_is_told_twice(self) -> None:
        """An older moment is not when this happened."""
        reason = f"User initiated ({STOPPED} GMT)"
        stopping = stored(record(State={"Name": "stopping"}, StateTransitionReason=reason))
        assert told(stopping, State={"Name": "stopped"}, StateTransitionReason=reason) == [
            changed("state", "stopping", "stopped")
        ]
        assert told(stored(record(State={"Name": "pending"}))) == [changed("state", "pending", "running")]

    def test_an_end_without_a_time_has_none(self) -> None:
        assert told(ONE, State={"Name": "terminated"}, StateTransitionReason="Server.InternalError") == [
            changed("state", "running", "terminated")
        ]


class TestComingBack:
    def test_it_has_returned_in_the_state_it_has(self) -> None:
        assert told(stored(record(), state=MISSING)) == [
            Difference(ChangeKind.RETURNED, "state", MISSING, "running", None)
        ]

    def test_what_changed_meanwhile_is_told_too(self) -> None:
        found = told(stored(record(), state=MISSING), State={"Name": "stopped"}, InstanceType="m5.xlarge")
        assert [(each.kind, each.field) for each in found] == [
            (ChangeKind.RETURNED, "state"),
            (ChangeKind.CHANGED, "instance_type"),
        ]


class TestRestarts:
    def test_one_between_two_readings_is_told_with_its_time(self) -> None:
        [found] = told(ONE, LaunchTime="2026-11-09T08:00:00+00:00")
        assert (found.field, found.after) == ("launched_at", "2026-11-09T08:00:00+00:00")
        assert found.happened_at == datetime(2026, 11, 9, 8, tzinfo=UTC)

    def test_one_that_was_seen_is_told_once(self) -> None:
        stopped = {**ONE, "state": "stopped"}
        assert [found.field for found in told(stopped, LaunchTime="2026-11-09T08:00:00+00:00")] == ["state"]


class TestNoise:
    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"Tags": {"cost": "7", "team": "shop", "Name": "web"}},
            {"SecurityGroups": [{"GroupId": "sg-2", "GroupName": "renamed"}, {"GroupId": "sg-1"}]},
            {"StateReason": {"Code": "Client.UserInitiatedShutdown", "Message": "..."}},
            {"Monitoring": {"State": "enabled"}},
            {"BlockDeviceMappings": [{"DeviceName": "/dev/xvdb"}]},
            {"Placement": {"AvailabilityZone": "eu-west-1a"}},
        ],
        ids=str,
    )
    def test_it_makes_no_history(self, change: dict[str, Any]) -> None:
        assert told(ONE, **change) == []

    def test_what_was_stored_by_an_older_reader_is_compared_as_far_as_it_goes(self) -> None:
        bare = {**ONE, "instance_metadata": {"Tags": ONE["instance_metadata"]["Tags"]}}
        fields = {found.field for found in differences(bare, record())}
        assert fields == {"IamInstanceProfileArn", "Imds", "SecurityGroupIds"}


texts = st.text(max_size=5)
some = st.fixed_dictionaries(
    {"InstanceId": st.just("i-1")},
    optional={
        "State": st.fixed_dictionaries({"Name": st.sampled_from(["pending", "running", "stopped", "new"])}),
        "InstanceType": texts,
        "PublicIpAddress": texts,
        "IamInstanceProfile": st.fixed_dictionaries({}, optional={"Arn": texts}),
        "MetadataOptions": st.fixed_dictionaries({}, optional={"HttpTokens": texts}),
        "SecurityGroups": st.lists(st.fixed_dictionaries({"GroupId": texts}), max_size=3),
        "Tags": st.dictionaries(st.sampled_from(["Name", "a", "b"]) | texts, texts, max_size=4),
        "LaunchTime": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
        "KeyName": texts,
        "Monitoring": st.fixed_dictionaries({"State": texts}),
    },
)


class TestAnyTwoDescriptions:
    @settings(max_examples=100, deadline=None)
    @given(some)
    def test_a_description_does_not_differ_from_itself(self, facts: dict[str, Any]) -> None:
        found = instance_record(facts, "eu-west-1")
        assert list(differences(stored(found), found)) == []

    @settings(max_examples=100, deadline=None)
    @given(some, some)
    def test_what_differs_is_told_and_nothing_else(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        old, new = (instance_record(facts, "eu-west-1") for facts in (before, after))
        columns, facts = stored(old), json.loads(new.metadata)
        differing = [name for name in FIELDS if columns[name] != getattr(new, name)]
        has_restarted = old.state == new.state and old.launched_at != new.launched_at
        differing += ["launched_at"] * has_restarted
        differing += [name for name in FACTS if columns["instance_metadata"][name] != facts[name]]
        rest = [{**record.tags, "Name": ""} for record in (old, new)]
        found = list(differences(columns, new))
        assert [each.field for each in found] == differing + (["Tags"] if rest[0] != rest[1] else [])
        assert all(each.before != each.after for each in found)

    @settings(max_examples=50, deadline=None)
    @given(some, some)
    def test_the_tags_that_were_can_be_told_from_those_that_are(
        self, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        old, new = (instance_record(facts, "eu-west-1") for facts in (before, after))
        tags = dict(new.tags)
        for each in differences(stored(old), new):
            if each.field == "Tags":
                tags = {key: value for key, value in tags.items() if key not in each.after} | each.before
        assert {**tags, "Name": ""} == {**old.tags, "Name": ""}

    @settings(max_examples=50, deadline=None)
    @given(some, st.timedeltas(timedelta(seconds=1), timedelta(days=9)))
    def test_no_moment_is_made_up(self, facts: dict[str, Any], later: timedelta) -> None:
        new = instance_record(facts, "eu-west-1")
        before = stored(new, state="stopping")
        assert all(found.happened_at is None for found in differences(before, new))
