"""The pages of the inventory and the readings over it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Downtime, Experiment, Instance, InstanceChange, RegionScan, Run, SystemLog, User
from app.models.mixins import utc_now
from app.models.types import AuthStatus, ChangeKind, Decision, RegionResult, RunKind
from app.web.filters import clock
from tests.client import text_of
from tests.conftest import SignIn
from tests.factories import make_instance

HOSTILE = (
    "<script>alert(1)</script>",
    "'; DROP TABLE instances; --",
    '" onmouseover="x',
    "../../etc/passwd",
    "%00",
    "\x00",
    "\udcff".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "{{ 7*7 }}",
    "=1+1",
    "9" * 400,
    "-1",
    "💥",
    "null",
    "[]",
    "%s%n",
)
PARAMETERS = ("account", "region", "state", "lifecycle", "type", "auth_status", "tag", "q", "sort", "cursor")


def seed(app: Flask, account: Account, count: int = 1, **values: Any) -> list[int]:
    with app.app_context():
        row = db.session.get_one(Account, account.id)
        ids = [make_instance(row, **values).id for _ in range(count)]
        db.session.commit()
    return ids


class TestTheList:
    def test_a_client_sees_their_own(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, account2: Account
    ) -> None:
        seed(app, account1, name="mine")
        seed(app, account2, name="theirs")
        page = sign_in(client1).get_page("/instances")
        assert "mine" in page.text
        assert "theirs" not in page.text
        assert "1 instance" in page.text

    def test_names_and_tags_are_shown_as_text(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        (instance_pk,) = seed(
            app,
            account1,
            name="<script>alert(1)</script>",
            instance_metadata={"Tags": {"<b>": '"><img src=x onerror=alert(2)>', "empty": "", "long": "é" * 256}},
        )
        browser = sign_in(client1)
        assert "<script>alert(1)</script>" in browser.get_page("/instances").text
        assert '"><img src=x onerror=alert(2)>' in browser.get_page(f"/instances/{instance_pk}").text

    def test_unknown_words_and_absent_facts_are_no_exception(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        (instance_pk,) = seed(app, account1, state="hovering", lifecycle="lunar", instance_metadata={})
        browser = sign_in(client1)
        for path in ("/instances", f"/instances/{instance_pk}"):
            assert "hovering" in browser.get_page(path).text
            assert "lunar" in browser.get_page(path).text

    def test_a_missing_one_says_since_when(self, app: Flask, sign_in: SignIn, client1: User, account1: Account) -> None:
        (instance_pk,) = seed(app, account1, state="missing", missing_since=utc_now())
        assert "Not seen since" in sign_in(client1).get_page(f"/instances/{instance_pk}").text

    def test_a_list_that_is_not_complete_says_so(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        with app.app_context():
            for region, result in (("us-east-1", RegionResult.READ), ("eu-west-1", RegionResult.DENIED_SCP)):
                db.session.add(RegionScan(account_id=account1.id, region=region, result=result, since_at=utc_now()))
            db.session.commit()
        browser = sign_in(client1)
        text = browser.get_page("/instances").text
        assert "Not complete: 1 region could not be read" in text
        assert "1 of 2 regions" in text
        assert "SCP" in text
        assert "Regions read 1 of 2" in browser.get_page("/").text

    def test_one_that_is_old_says_so_everywhere(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        long_ago = utc_now() - timedelta(hours=9)
        with app.app_context():
            scan = {"region": "us-east-1", "result": RegionResult.READ, "since_at": long_ago, "last_read_at": long_ago}
            db.session.add(RegionScan(account_id=account1.id, **scan))
            account = db.session.get_one(Account, account1.id)
            account.regions_enabled = account.regions_read = 1
            account.last_good_at = long_ago
            db.session.commit()
        (instance_pk,) = seed(app, account1)
        browser = sign_in(client1)
        text = browser.get_page("/instances").text
        assert "Not up to date: 1 region should have been read again by now" in text
        assert "Production: 1 region not read again since" in text
        assert f"Not read again since {clock(long_ago, 'UTC')}" in browser.get_page("/").text
        assert f"1 of 1, as of {clock(long_ago, 'UTC')}" in browser.get_page("/accounts").text
        assert "Its region has not been read for a while" in browser.get_page(f"/instances/{instance_pk}").text
        assert "old" in browser.get_page(f"/accounts/{account1.id}").text.split("Last read")[1]

    def test_what_was_read_just_now_is_not_doubted(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        now = utc_now()
        with app.app_context():
            scan = {"region": "us-east-1", "result": RegionResult.READ, "since_at": now, "last_read_at": now}
            db.session.add(RegionScan(account_id=account1.id, **scan))
            db.session.commit()
        page = sign_in(client1).get_page("/instances")
        assert f"1 region, as of {clock(now, 'UTC')}" in page.text
        assert page.all("div", class_="notice") == []

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("/instances", PARAMETERS),
            ("/experiments", ("account", "decision", "cursor")),
            ("/downtime", ("account", "cause", "cursor")),
            ("/system-logs", ("account", "level", "component", "period", "q", "before", "after", "left", "follow")),
            ("/accounts", ("status", "health", "q")),
        ],
    )
    def test_hostile_words_in_the_address_break_nothing(
        self, app: Flask, sign_in: SignIn, admin: User, account1: Account, path: str, names: tuple[str, ...]
    ) -> None:
        seed(app, account1)
        browser = sign_in(admin)
        for name in names:
            for value in HOSTILE:
                status = browser.get(path, query_string={name: value}).status_code
                assert status in ({200, 400} if name == "cursor" else {200}), (name, value)

    def test_it_asks_as_often_for_thirty_as_for_one(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, count_queries: Callable[[], Any]
    ) -> None:
        browser = sign_in(client1)
        counts = []
        for more in (1, 29):
            seed(app, account1, more)
            for path in ("/instances", "/"):
                with count_queries() as statements:
                    browser.get_page(path)
                counts.append(len(statements))
        assert counts[:2] == counts[2:]

    def test_an_empty_one_says_what_to_do(
        self, sign_in: SignIn, client1: User, client3: User, account1: Account
    ) -> None:
        assert "No account is connected yet" in sign_in(client3).get_page("/instances").text
        assert "first discovery" in sign_in(client1).get_page("/instances").text
        assert "No instance fits" in sign_in(client1).get_page("/instances?state=running").text


class TestTheTimeline:
    def note(self, app: Flask, account: Account, instance_pk: int, number: int = 0, **values: Any) -> None:
        with app.app_context():
            defaults = {"kind": ChangeKind.CHANGED, "field": "state", "before": "running", "after": "stopped"}
            about = {"account_id": account.id, "instance_pk": instance_pk}
            seen_at = utc_now() - timedelta(minutes=number)
            db.session.add(InstanceChange(**about, seen_at=seen_at, **{**defaults, **values}))
            db.session.commit()

    def test_it_tells_what_changed_when_and_who_told(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        (instance_pk,) = seed(app, account1)
        happened = datetime(2026, 5, 4, 12, tzinfo=UTC)
        with app.app_context():
            run = Run(kind=RunKind.DISCOVER_ACCOUNT, account_id=account1.id, due_at=utc_now())
            db.session.add(run)
            db.session.commit()
            run_id = run.id
        self.note(app, account1, instance_pk, happened_at=happened, run_id=run_id)
        self.note(app, account1, instance_pk, kind=ChangeKind.VANISHED, before="stopped", after="missing")
        page = sign_in(client1).get_page(f"/instances/{instance_pk}")
        first, second = (text_of(item) for item in page.one("ol", class_="timeline").iter("li"))
        assert "Vanished: AWS no longer lists it (was stopped) seen by a discovery" in first
        assert "State: from running → to stopped happened 2026-05-04 12:00:00 UTC" in second
        assert page.links()["a discovery"] == f"/accounts/{account1.id}/runs/{run_id}"
        assert "2 changes" in page.text

    def test_an_older_page_is_led_to(self, app: Flask, sign_in: SignIn, client1: User, account1: Account) -> None:
        (instance_pk,) = seed(app, account1)
        for number in range(51):
            self.note(app, account1, instance_pk, number)
        browser = sign_in(client1)
        page = browser.get_page(f"/instances/{instance_pk}")
        assert "51 changes" in page.text
        older = page.links()["Next"]
        assert older.endswith("#timeline")
        assert len(list(browser.get_page(older.partition("#")[0]).one("ol", class_="timeline").iter("li"))) == 1

    def test_without_a_change_it_says_so(self, app: Flask, sign_in: SignIn, client1: User, account1: Account) -> None:
        (instance_pk,) = seed(app, account1)
        assert (
            "Nothing has changed since it was first seen" in sign_in(client1).get_page(f"/instances/{instance_pk}").text
        )

    def test_why_it_stopped_and_who_manages_it_are_on_the_page(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        (instance_pk,) = seed(
            app,
            account1,
            state="stopped",
            state_reason="Client.UserInitiatedShutdown: User initiated shutdown",
            state_reason_code="Client.UserInitiatedShutdown",
            state_changed_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
            first_launched_at=datetime(2025, 1, 1, tzinfo=UTC),
            launched_at=datetime(2026, 5, 1, tzinfo=UTC),
            instance_metadata={"OperatedBy": "eks.amazonaws.com"},
        )
        text = sign_in(client1).get_page(f"/instances/{instance_pk}").text
        assert "managed by eks.amazonaws.com" in text
        assert "Why it is stopped" in text
        assert "User initiated shutdown" in text
        assert "Since 2026-05-04 12:00:00 UTC" in text
        assert text.index("2025-01-01 00:00:00 UTC") < text.index("2026-05-01 00:00:00 UTC"), "first launch, last start"


class TestAuthorizing:
    def test_an_admin_authorizes_many_with_a_reason(
        self, app: Flask, sign_in: SignIn, admin: User, account1: Account
    ) -> None:
        ids = seed(app, account1, 3, auth_status=AuthStatus.UNAUTHORIZED)
        browser = sign_in(admin)
        answer = browser.send(
            "/instances/authorize",
            {
                "ids": [str(i) for i in ids],
                "auth_status": "authorized",
                "reason": "ours",
                "next": "/instances?state=running",
            },
        )
        assert answer.status_code == 303
        assert answer.location == "/instances?state=running"
        assert "3 instances are now authorized" in browser.get_page("/instances").text
        with app.app_context():
            assert {db.session.get_one(Instance, i).auth_reason for i in ids} == {"ours"}

    def test_it_leads_nowhere_else(self, app: Flask, sign_in: SignIn, admin: User, account1: Account) -> None:
        ids = seed(app, account1)
        answer = sign_in(admin).send(
            "/instances/authorize", {"ids": str(ids[0]), "reason": "x", "next": "https://evil.example/"}
        )
        assert answer.location == "/instances"

    def test_without_a_reason_it_says_so(self, app: Flask, sign_in: SignIn, admin: User, account1: Account) -> None:
        ids = seed(app, account1, auth_status=AuthStatus.UNAUTHORIZED)
        browser = sign_in(admin)
        browser.send("/instances/authorize", {"ids": str(ids[0]), "auth_status": "authorized"})
        assert "Say why" in browser.get_page("/instances").text

    def test_an_id_that_is_not_there_is_a_404(
        self, app: Flask, sign_in: SignIn, admin: User, account1: Account
    ) -> None:
        ids = seed(app, account1, auth_status=AuthStatus.UNAUTHORIZED)
        form = {"ids": [str(ids[0]), "77"], "auth_status": "authorized", "reason": "x"}
        assert sign_in(admin).send("/instances/authorize", form).status_code == 404
        with app.app_context():
            assert db.session.get_one(Instance, ids[0]).auth_status is AuthStatus.UNAUTHORIZED
            (row,) = db.session.scalars(sa.select(SystemLog).where(SystemLog.component == "audit"))
            assert (row.user_id, row.details["instances"]) == (admin.id, [77, ids[0]])

    @pytest.mark.parametrize("asked", ["", "AUTHORIZED", "maybe"])
    def test_it_authorizes_nothing_that_was_not_asked_for(
        self, app: Flask, sign_in: SignIn, admin: User, account1: Account, asked: str
    ) -> None:
        ids = seed(app, account1, auth_status=AuthStatus.UNAUTHORIZED)
        browser = sign_in(admin)
        browser.send("/instances/authorize", {"ids": str(ids[0]), "auth_status": asked, "reason": "x"})
        assert "Say whether" in browser.get_page("/instances").text
        with app.app_context():
            assert db.session.get_one(Instance, ids[0]).auth_status is AuthStatus.UNAUTHORIZED

    def test_one_click_takes_it_back(self, app: Flask, sign_in: SignIn, admin: User, account1: Account) -> None:
        ids = seed(app, account1, 2, auth_status=AuthStatus.UNAUTHORIZED)
        browser = sign_in(admin)
        form = {"ids": [str(i) for i in ids], "auth_status": "authorized", "reason": "x"}
        browser.send("/instances/authorize", form)
        answer = browser.submit("/instances/authorize/undo", page="/instances?state=running")
        assert answer.location == "/instances?state=running"
        assert "2 instances are now as before" in browser.get_page("/instances").text
        with app.app_context():
            assert {db.session.get_one(Instance, i).auth_status for i in ids} == {AuthStatus.UNAUTHORIZED}
        assert "Undo" not in browser.get_page("/instances").text

    @pytest.mark.parametrize(
        "mark", ["", "yesterday", "2026-01-01T00:00:00+00:00", "0001-01-01T00:00:00+14:00", "9" * 99]
    )
    def test_a_made_up_undo_changes_nothing(self, app: Flask, sign_in: SignIn, admin: User, mark: str) -> None:
        browser = sign_in(admin)
        assert browser.send("/instances/authorize/undo", {"changed_at": mark}).status_code == 303
        assert "nothing to undo" in browser.get_page("/instances").text


class TestTheReadings:
    def test_decisions_and_downtime_are_listed(
        self, app: Flask, sign_in: SignIn, client1: User, client2: User, account1: Account
    ) -> None:
        with app.app_context():
            db.session.add(
                Experiment(account_id=account1.id, instance_id="i-1", decision=Decision.HOLD, reason="too dear")
            )
            db.session.add(
                Downtime(account_id=account1.id, instance_id="i-1", region="us-east-1", started_at=utc_now())
            )
            db.session.commit()
        browser = sign_in(client1)
        assert "too dear" in browser.get_page("/experiments").text
        assert "no price" in browser.get_page("/experiments?decision=hold").text
        assert "still down" in browser.get_page("/downtime").text
        assert "too dear" not in sign_in(client2).get_page("/experiments").text
