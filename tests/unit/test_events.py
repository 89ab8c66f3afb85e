"""Reading events: every form in which AWS's samples come, and everything that is none."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.events.parse import (
    CAPACITY_WARNING,
    MAX_BYTES,
    REBALANCE,
    SPOT_WARNING,
    STATE_CHANGE,
    Event,
    EventError,
    EventKind,
    place_of,
    read_event,
    read_message,
)

ID = "i-1234567890abcdef0"
NORMAL_ARN = f"arn:aws:ec2:us-east-1:123456789012:instance/{ID}"
ZONE_ARN = f"arn:aws:ec2:us-east-1b:instance/{ID}"

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=8,
)


def sample(detail_type: str = STATE_CHANGE, arn: str = NORMAL_ARN, **changes: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "12345678-1234-1234-1234-123456789012",
        "detail-type": detail_type,
        "source": "aws.ec2",
        "account": "123456789012",
        "time": "2026-03-01T09:30:00Z",
        "region": "us-east-1",
        "resources": [arn],
        "detail": {"instance-id": ID, "state": "running"},
        **changes,
    }


def read(event: Any) -> Event:
    return read_event(json.dumps(event))


class TestSamples:
    @pytest.mark.parametrize(
        "state", ["pending", "running", "stopping", "stopped", "shutting-down", "terminated", "hibernating"]
    )
    def test_a_change_of_state(self, state: str) -> None:
        found = read(sample(detail={"instance-id": ID, "state": state}))
        assert (found.kind, found.instance_id, found.value) == (EventKind.STATE, ID, state)
        assert (found.account_id, found.region) == ("123456789012", "us-east-1")
        assert found.occurred_at == datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

    @pytest.mark.parametrize("action", ["hibernate", "stop", "terminate"])
    @pytest.mark.parametrize("arn", [NORMAL_ARN, ZONE_ARN])
    def test_an_interruption_warning_has_an_arn_that_is_not_believed(self, action: str, arn: str) -> None:
        found = read(sample(SPOT_WARNING, arn, detail={"instance-id": ID, "instance-action": action}))
        assert (found.kind, found.value) == (EventKind.INTERRUPTION, action)
        assert (found.account_id, found.region) == ("123456789012", "us-east-1")

    def test_the_warning_of_interruptible_capacity(self) -> None:
        detail = {
            "instance-id": ID,
            "instance-action": "terminate",
            "instance-termination-time": "…",
            "azId": "use1-az1",
        }
        found = read(sample(CAPACITY_WARNING, detail=detail))
        assert (found.kind, found.value) == (EventKind.INTERRUPTION, "terminate")

    @pytest.mark.parametrize("arn", [NORMAL_ARN, ZONE_ARN])
    def test_a_rebalance_recommendation(self, arn: str) -> None:
        found = read(sample(REBALANCE, arn, detail={"instance-id": ID}))
        assert (found.kind, found.value) == (EventKind.REBALANCE, "recommended")

    @pytest.mark.parametrize(
        "changes",
        [
            {"detail-type": "EC2 Spot Instance Request Fulfillment", "detail": {"spot-instance-request-id": "sir-1"}},
            {"detail-type": "EC2 Instance State-change Notification (new)"},
            {"source": "my.own"},
            {"source": None},
        ],
    )
    def test_other_kinds_are_none_of_ours(self, changes: dict[str, Any]) -> None:
        assert read(sample(**changes)).kind is None

    @pytest.mark.parametrize(
        ("text", "seconds"), [("2026-03-01T10:30:00+01:00", 0), ("2026-03-01T09:30:00.250Z", 0.25)]
    )
    def test_times_with_other_zones_and_parts(self, text: str, seconds: float) -> None:
        assert (
            read(sample(time=text)).occurred_at - datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        ).total_seconds() == seconds

    def test_sns_wraps_it_as_text(self) -> None:
        wrapped = json.dumps({"Type": "Notification", "MessageId": "1", "Message": json.dumps(sample())})
        assert read_message(wrapped) == read(sample())
        assert read_message(json.dumps(sample())) == read(sample())
        with pytest.raises(EventError):
            read_event(wrapped)

    def test_its_repr_does_not_hold_the_payload(self) -> None:
        assert "payload" not in repr(read(sample()))


class TestWhatIsNone:
    @pytest.mark.parametrize(
        "changes",
        [
            {"id": ""},
            {"id": "x" * 65},
            {"id": "\u2028"},
            {"id": 7},
            {"account": "12345678901"},
            {"account": "١٢٣٤٥٦٧٨٩٠١٢"},
            {"region": "x.evil.example#"},
            {"region": "us-east-1b"},
            {"detail-type": "x" * 129},
            {"time": "2026-03-01"},
            {"time": "2026-03-01T09:30:00"},
            {"time": "2026-02-30T09:30:00Z"},
            {"time": "0001-01-01T00:00:00Z"},
            {"time": "9999-12-31T23:59:59-12:00"},
            {"detail": []},
            {"detail": {}},
            {"detail": {"instance-id": ID}},
            {"detail": {"instance-id": ID, "state": "missing"}},
            {"detail": {"instance-id": ID, "state": "x" * 33}},
            {"detail": {"instance-id": "i-1 OR 1=1", "state": "running"}},
        ],
    )
    def test_it_is_refused_in_words(self, changes: dict[str, Any]) -> None:
        with pytest.raises(EventError) as error:
            read(sample(**changes))
        assert str(error.value).endswith(".")

    def test_it_has_bounds(self) -> None:
        with pytest.raises(EventError, match="at most"):
            read(sample(more="x" * MAX_BYTES))
        deep: Any = 1
        for _ in range(17):
            deep = [deep]
        with pytest.raises(EventError, match="cannot be stored"):
            read(sample(more=deep))

    @given(st.binary(max_size=200))
    def test_bytes_of_any_kind(self, body: bytes) -> None:
        with pytest.raises(EventError):
            read_event(body)

    @given(st.sampled_from(sorted(sample())), junk)
    def test_junk_in_any_place_is_an_event_or_refused(self, name: str, value: Any) -> None:
        text = json.dumps(sample(**{name: value}))
        try:
            found = read_event(text)
        except EventError:
            return
        assert json.loads(json.dumps(found.payload)) is not None

    @given(junk)
    def test_junk_as_a_message(self, value: Any) -> None:
        for body in (
            value,
            {"Type": "Notification", "Message": value},
            {"Type": "Notification", "Message": str(value)},
        ):
            with pytest.raises(EventError):
                read_message(json.dumps(body))


def test_states_of_one_second_have_an_order() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    words = ["terminated", "running", "stopped", "never-heard-of", "shutting-down", "pending", "stopping"]
    assert sorted(words, key=lambda word: place_of(moment, word)) == [
        "never-heard-of",
        "pending",
        "running",
        "stopping",
        "stopped",
        "shutting-down",
        "terminated",
    ]
