"""The history of an instance as it is read, on every database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db
from app.models import Ec2Event, Instance, InstanceChange, Run
from app.models.types import AccountStatus, ChangeKind, EventOutcome, RunKind, RunState
from app.services.instances import timeline
from app.services.instances.timeline import list_run_changes, list_timeline
from tests.factories import make_account, make_instance, make_user

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def instance(any_database: Flask) -> Any:
    with any_database.app_context():
        yield make_instance(make_account(make_user("owner"), status=AccountStatus.ACTIVE))
        db.session.rollback()


def note(
    instance: Instance, field: str, before: Any, after: Any, kind: ChangeKind = ChangeKind.CHANGED, **values: Any
) -> InstanceChange:
    row = InstanceChange(
        account_id=instance.account_id,
        instance_pk=instance.id,
        kind=kind,
        field=field,
        before=before,
        after=after,
        **{"seen_at": NOON, **values},
    )
    db.session.add(row)
    db.session.flush()
    return row


def run_of(instance: Instance, **values: Any) -> Run:
    run = Run(
        kind=RunKind.DISCOVER_ACCOUNT,
        account_id=instance.account_id,
        **{"state": RunState.SUCCEEDED, "due_at": NOON, **values},
    )
    db.session.add(run)
    db.session.flush()
    return run


def told(instance: Instance) -> list[tuple[str, str, str]]:
    """Each step as (label, before, after), in the page's order."""
    moments = list_timeline(instance).items
    return [(step.label, step.before, step.after) for moment in moments for step in moment.steps]


class TestSteps:
    @pytest.mark.parametrize(
        ("field", "before", "after", "steps"),
        [
            ("state", "running", "stopped", [("State", "running", "stopped")]),
            ("instance_type", "m5.large", "m5.xlarge", [("Type", "m5.large", "m5.xlarge")]),
            ("public_ip", "", "203.0.113.9", [("Public IP", "", "203.0.113.9")]),
            ("IamInstanceProfileArn", "arn:x", None, [("Instance profile", "arn:x", "")]),
            ("Imds", "optional", "required", [("Instance metadata", "IMDSv1 allowed", "IMDSv2 only")]),
            ("Imds", None, "a word of tomorrow", [("Instance metadata", "", "a word of tomorrow")]),
            (
                "SecurityGroupIds",
                ["sg-1", "sg-2"],
                ["sg-2", "sg-3"],
                [("Security group", "sg-1", ""), ("Security group", "", "sg-3")],
            ),
            (
                "Tags",
                {"gone": "x", "team": "web"},
                {"new": "", "team": "data"},
                [("Tag gone", "“x”", ""), ("Tag new", "", "“”"), ("Tag team", "“web”", "“data”")],
            ),
            ("Tags", None, {"a": "b"}, [("Tag a", "", "“b”")]),
            ("interruption", None, "terminate", [("Spot interruption warning", "", "terminate")]),
            ("something new", {"b": 1, "a": 2}, [1], [("something new", '{"a": 2, "b": 1}', "[1]")]),
        ],
    )
    def test_a_change_is_told_in_words(
        self, instance: Instance, field: str, before: Any, after: Any, steps: list[tuple[str, str, str]]
    ) -> None:
        note(instance, field, before, after)
        assert told(instance) == steps


class TestTheTimeline:
    def test_it_is_newest_first_and_what_was_learned_at_once_stands_together(self, instance: Instance) -> None:
        run = run_of(instance)
        note(instance, "state", None, "running", ChangeKind.APPEARED, happened_at=NOON - timedelta(days=3))
        later = {"seen_at": NOON + timedelta(hours=1), "run_id": run.id}
        note(instance, "state", "running", "stopped", **later)
        note(instance, "instance_type", "m5.large", "m5.xlarge", **later)
        new, old = list_timeline(instance).items
        assert (new.seen_at, new.run_id, [step.label for step in new.steps]) == (
            NOON + timedelta(hours=1),
            run.id,
            ["State", "Type"],
        )
        assert [(step.kind, step.happened_at) for step in old.steps] == [
            (ChangeKind.APPEARED, NOON - timedelta(days=3))
        ]

    def test_a_run_that_is_forgotten_is_not_led_to(self, instance: Instance) -> None:
        note(instance, "state", "running", "stopped", run_id=4242)
        (moment,) = list_timeline(instance).items
        assert moment.run_id is None

    def test_an_event_is_named_and_a_forgotten_one_still_counts_as_one(self, instance: Instance) -> None:
        event = Ec2Event(
            account_id=instance.account_id,
            event_id="e",
            detail_type="EC2 Instance State-change Notification",
            region="us-east-1",
            occurred_at=NOON,
            received_at=NOON,
            outcome=EventOutcome.APPLIED,
            payload={},
        )
        db.session.add(event)
        db.session.flush()
        note(instance, "state", "running", "stopping", event_pk=event.id)
        note(instance, "state", "stopping", "stopped", event_pk=4242)
        assert [moment.event for moment in list_timeline(instance).items] == ["EC2 event", event.detail_type]

    def test_it_comes_in_pages_that_lead_both_ways(self, instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(timeline, "PAGE_LENGTH", 3)
        for number in range(7):
            note(instance, "name", f"n{number}", f"n{number + 1}", seen_at=NOON + timedelta(minutes=number))
        seen, cursor, pages = [], None, []
        while True:
            page = list_timeline(instance, cursor)
            pages.append(page)
            seen += [step.after for moment in page.items for step in moment.steps]
            if (cursor := page.next) is None:
                break
        assert seen == ["n7", "n6", "n5", "n4", "n3", "n2", "n1"]
        assert {page.total for page in pages} == {7}
        assert [m.seen_at for m in list_timeline(instance, pages[-1].previous).items] == [
            m.seen_at for m in pages[-2].items
        ]

    def test_another_instance_s_history_is_not_in_it(self, instance: Instance) -> None:
        other = make_instance(make_account(make_user("other"), status=AccountStatus.ACTIVE))
        note(other, "state", "running", "stopped")
        assert list_timeline(instance).items == []


class TestTheChangesOfARun:
    def test_they_are_its_own_in_their_order(self, instance: Instance) -> None:
        before = run_of(instance)
        run = run_of(instance, finished_at=datetime.now(UTC))
        note(instance, "state", "running", "stopped", run_id=before.id)
        note(instance, "name", "a", "b", run_id=run.id)
        note(instance, "image_id", "ami-1", "ami-2", run_id=run.id)
        changes, total, is_capped = list_run_changes(run)
        assert [step.label for change in changes for step in change.steps] == ["Name", "Image"]
        assert {(change.instance_pk, change.instance_id) for change in changes} == {(instance.id, instance.instance_id)}
        assert (total, is_capped) == (2, False)

    def test_those_of_a_run_under_way_are_told_too(self, instance: Instance) -> None:
        run = run_of(instance, state=RunState.QUEUED)
        note(instance, "name", "a", "b", run_id=run.id)
        assert list_run_changes(run)[1] == 1

    def test_only_the_first_are_told_and_all_are_counted(
        self, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(timeline, "RUN_LENGTH", 2)
        run = run_of(instance, finished_at=datetime.now(UTC))
        for number in range(3):
            note(instance, "name", f"n{number}", f"n{number + 1}", run_id=run.id)
        changes, total, _ = list_run_changes(run)
        assert ([step.after for change in changes for step in change.steps], total) == (["n1", "n2"], 3)
