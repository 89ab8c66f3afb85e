"""The pages of the inventory and the readings over it."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Downtime, Experiment, Instance, RegionScan, SystemLog, User
from app.models.mixins import utc_now
from app.models.types import AuthStatus, Decision, RegionResult
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
        text = sign_in(client1).get_page("/instances").text
        assert "1 of 2 regions" in text
        assert "SCP" in text

    @pytest.mark.parametrize("path", ["/instances", "/experiments", "/downtime", "/system-logs", "/accounts"])
    def test_hostile_words_in_the_address_break_nothing(
        self, app: Flask, sign_in: SignIn, admin: User, account1: Account, path: str
    ) -> None:
        seed(app, account1)
        browser = sign_in(admin)
        for name in (*PARAMETERS, "decision", "cause", "status", "health", "level", "component", "before", "after"):
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
    def test_the_dashboard_counts_one_s_own(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, account2: Account
    ) -> None:
        seed(app, account1, 2, lifecycle="spot")
        seed(app, account1, 1, auth_status=AuthStatus.UNAUTHORIZED)
        seed(app, account2, 5)
        text = sign_in(client1).get_page("/").text
        assert "66.6% of the running" in text
        assert "3 running" in text

    def test_it_welcomes_who_has_nothing(self, sign_in: SignIn, client3: User) -> None:
        assert "no account is connected yet" in sign_in(client3).get_page("/").text

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
