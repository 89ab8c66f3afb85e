"""One instance's own page."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db
from app.models import Account, Downtime, Experiment, InstanceChange, RegionScan, User
from app.models.types import ChangeKind, Decision, RegionResult
from tests.client import PageClient, text_of
from tests.conftest import SignIn
from tests.factories import make_instance

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def seed(app: Flask, account: Account, **values: Any) -> int:
    with app.app_context():
        instance = make_instance(db.session.get_one(Account, account.id), **values)
        db.session.commit()
        return instance.id


def note(app: Flask, instance_pk: int, account: Account, field: str, before: Any, after: Any, **values: Any) -> None:
    with app.app_context():
        about = {"account_id": account.id, "instance_pk": instance_pk, "field": field, "before": before, "after": after}
        db.session.add(InstanceChange(**about, **{"kind": ChangeKind.CHANGED, "seen_at": NOON, **values}))
        db.session.commit()


def section(browser: PageClient, id_: str) -> str:
    return text_of(browser.page.one("section", id=id_))


class TestWhatItSays:
    @pytest.mark.parametrize(
        ("imds", "badge", "has_remedy"),
        [
            ("required", "IMDSv2 required", False),
            ("optional", "IMDSv2 optional", True),
            ("disabled", "metadata switched off", False),
            (None, "IMDSv2 not known", False),
        ],
    )
    def test_the_metadata_service_has_a_badge_and_its_remedy(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, imds: str, badge: str, has_remedy: bool
    ) -> None:
        instance_pk = seed(app, account1, instance_metadata={"Imds": imds})
        browser = sign_in(client1)
        browser.get_page(f"/instances/{instance_pk}")
        assert badge in section(browser, "security")
        assert ("modify-instance-metadata-options" in section(browser, "security")) is has_remedy

    def test_public_addresses_say_what_they_mean(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        exposed = seed(app, account1, public_ip="203.0.113.9")
        hidden = seed(app, account1)
        browser = sign_in(client1)
        browser.get_page(f"/instances/{exposed}")
        assert "The internet can reach it wherever its security groups" in section(browser, "network")
        browser.get_page(f"/instances/{hidden}")
        assert "no public address" in section(browser, "network")

    def test_why_it_stopped_is_told_in_two_voices(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        instance_pk = seed(
            app,
            account1,
            state="stopped",
            state_reason_code="Client.UserInitiatedShutdown",
            state_reason="Client.UserInitiatedShutdown: User initiated shutdown",
            state_changed_at=NOON,
        )
        browser = sign_in(client1)
        browser.get_page(f"/instances/{instance_pk}")
        told = section(browser, "state")
        assert "Somebody stopped or terminated it through AWS." in told
        assert "AWS: Client.UserInitiatedShutdown: User initiated shutdown" in told
        assert "2026-05-04 12:00:00 UTC" in told

    def test_a_region_that_cannot_be_read_says_since_when(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        instance_pk = seed(app, account1)
        with app.app_context():
            times = {"since_at": NOON, "last_tried_at": NOON, "last_read_at": NOON - timedelta(hours=5)}
            scan = {"region": "us-east-1", "result": RegionResult.DENIED_SCP, **times}
            db.session.add(RegionScan(account_id=account1.id, **scan))
            db.session.commit()
        browser = sign_in(client1)
        browser.get_page(f"/instances/{instance_pk}")
        told = section(browser, "freshness")
        assert "denied by SCP" in told
        assert "Its region as of 2026-05-04 07:00:00 UTC" in told
        assert "Unread since 2026-05-04 12:00:00 UTC" in told

    def test_a_terminated_one_is_shown_as_such(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        instance_pk = seed(app, account1, state="terminated")
        assert "It does not come back" in sign_in(client1).get_page(f"/instances/{instance_pk}").text

    def test_the_timeline_can_be_narrowed_to_one_field(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        instance_pk = seed(app, account1)
        note(app, instance_pk, account1, "state", "running", "stopped")
        note(app, instance_pk, account1, "instance_type", "m5.large", "m5.xlarge")
        browser = sign_in(client1)
        browser.get_page(f"/instances/{instance_pk}?field=instance_type")
        assert "m5.xlarge" in section(browser, "timeline")
        assert "stopped" not in section(browser, "timeline")
        browser.get_page(f"/instances/{instance_pk}?field=image_id")
        assert "Nothing of this kind has changed" in section(browser, "timeline")

    def test_its_decisions_and_downtime_stand_there_and_nobody_else_s(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        one, other = seed(app, account1), seed(app, account1)
        with app.app_context():
            about = {"account_id": account1.id, "instance_pk": one, "instance_id": "i-1"}
            db.session.add(Experiment(**about, decision=Decision.HOLD, reason="too dear"))
            db.session.add(Downtime(**about, region="us-east-1", started_at=NOON, ended_at=NOON + timedelta(hours=1)))
            db.session.commit()
        browser = sign_in(client1)
        browser.get_page(f"/instances/{one}")
        assert "too dear" in section(browser, "decisions")
        assert "2026-05-04 13:00:00 UTC" in section(browser, "downtime")
        browser.get_page(f"/instances/{other}")
        assert "No decision has been recorded" in section(browser, "decisions")
        assert "That is not the same as uptime" in section(browser, "downtime")

    def test_what_aws_said_can_be_downloaded(
        self, app: Flask, sign_in: SignIn, client1: User, client2: User, account1: Account
    ) -> None:
        instance_pk = seed(app, account1, instance_id="i-0a", instance_metadata={"Tags": {"é": '"<b>'}})
        answer = sign_in(client1).get(f"/instances/{instance_pk}/json")
        assert answer.headers["Content-Disposition"] == 'attachment; filename="i-0a.json"'
        assert answer.json == {"Tags": {"é": '"<b>'}}
        assert sign_in(client2).get(f"/instances/{instance_pk}/json").status_code == 404

    def test_it_asks_the_database_as_often_whatever_there_is(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, count_queries: Callable[[], Any]
    ) -> None:
        bare, rich = seed(app, account1), seed(app, account1)
        note(app, bare, account1, "name", "a", "b")
        for number in range(40):
            note(app, rich, account1, "name", f"{number}", f"{number + 1}", seen_at=NOON + timedelta(hours=number))
        browser = sign_in(client1)
        counts = []
        for instance_pk in (bare, rich):
            with count_queries() as statements:
                browser.get_page(f"/instances/{instance_pk}")
            counts.append(len(statements))
        assert counts[0] == counts[1]
