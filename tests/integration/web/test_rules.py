"""Pages about rules of authorization: entering one without a script, the look before it is saved, who sees what."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, AuthorizationRule, AuthorizationRuleEdit, Instance, SystemLog, User
from app.models.types import AuthStatus, RuleState
from app.services.instances.tallies import find_wrong_tallies
from tests.client import PageClient
from tests.conftest import SignIn
from tests.factories import make_instance
from tests.integration.rules.rules import ask, make_rule, standings
from tests.jobs import run_jobs

TODAY = datetime.now(UTC).date()
HOSTILE = "<script>alert(1)</script>"
NEW = {
    "name": "CI runners",
    "conditions-0-field": "type",
    "conditions-0-values": "m5.*\nc5.large",
    "owner_name": "build team",
    "owner_contact": "#build",
    "note": "Every push starts some.",
    "expires_on": (TODAY + timedelta(days=30)).isoformat(),
}


def seed(app: Flask, account: Account, count: int = 3) -> list[int]:
    with app.app_context():
        ids = [make_instance(account, name=f"new {n}", auth_status=AuthStatus.UNAUTHORIZED).id for n in range(count)]
        db.session.commit()
    return ids


def press(browser: PageClient, action: str, step: str, values: dict[str, str] | None = None) -> Any:
    """Fill in the form on the page, and press one of its buttons."""
    fields = browser.page.fields(browser.page.form(action))
    return browser.post(action, data={**fields, **(values or {}), "step": step})


def enter(browser: PageClient, values: dict[str, str] | None = None) -> int:
    """Make a rule as a person does, by the preview; its id."""
    browser.get_page("/rules/new")
    press(browser, "/rules/new", "preview", {**NEW, **(values or {})})
    response = press(browser, "/rules/new", "save")
    assert response.status_code == 303, browser.page.text
    return int(response.headers["Location"].rsplit("/", 1)[1])


class TestEntering:
    def test_the_preview_says_what_it_would_do_and_saves_nothing(
        self, app: Flask, account1: Account, admin: User, sign_in: SignIn
    ) -> None:
        seed(app, account1)
        browser = sign_in(admin)
        browser.get_page("/rules/new")
        assert press(browser, "/rules/new", "preview", NEW).status_code == 200
        assert "Become authorized 3" in browser.page.text
        assert "new 0" in browser.page.text
        with app.app_context():
            assert db.session.scalar(sa.select(sa.func.count()).select_from(AuthorizationRule)) == 0

    def test_what_is_saved_comes_to_be(self, app: Flask, account1: Account, admin: User, sign_in: SignIn) -> None:
        seed(app, account1)
        browser = sign_in(admin)
        rule_id = enter(browser)
        run_jobs(app)
        page = browser.get_page(f"/rules/{rule_id}")
        assert page.heading == "CI runners"
        for words in ("m5.* or c5.large", "build team", "#build", "Every push starts some.", "Created by admin"):
            assert words in page.text
        with app.app_context():
            assert {each[:2] for each in standings().values()} == {("authorized", "rule")}
            assert find_wrong_tallies(account1.id) == []
            log = db.session.scalars(sa.select(SystemLog).where(SystemLog.component == "audit")).one()
            assert (log.user_id, log.details["rule"]) == (admin.id, rule_id)
        assert "CI runners" in browser.get_page("/rules").links()

    def test_what_was_changed_after_the_preview_is_shown_again_before_it_is_saved(
        self, app: Flask, admin: User, sign_in: SignIn
    ) -> None:
        browser = sign_in(admin)
        browser.get_page("/rules/new")
        press(browser, "/rules/new", "preview", NEW)
        assert press(browser, "/rules/new", "save", {"conditions-0-values": "x1.*"}).status_code == 200
        assert "changed after its preview" in browser.page.text
        assert press(browser, "/rules/new", "save").status_code == 303

    def test_conditions_come_and_go_without_a_script(self, admin: User, sign_in: SignIn) -> None:
        browser = sign_in(admin)
        browser.get_page("/rules/new?tag=team%3Dci&account=111111111111")
        assert browser.page.one("textarea", name="conditions-1-values").text == "111111111111"
        press(browser, "/rules/new", "add", NEW)
        press(browser, "/rules/new", "remove-1", {"conditions-2-field": "region", "conditions-2-values": "eu-*"})
        fields = browser.page.fields(browser.page.form("/rules/new"))
        assert fields["name"] == "CI runners"
        assert {name: text.strip() for name, text in fields.items() if name.endswith("-values")} == {
            "conditions-0-values": "m5.*\nc5.large",
            "conditions-2-values": "eu-*",
        }

    def test_each_fault_stands_beside_its_field(self, admin: User, sign_in: SignIn) -> None:
        browser = sign_in(admin)
        for values, words in (
            ({"name": ""}, "Give the rule a name."),
            ({"owner_name": ""}, "Say who answers for it."),
            ({"expires_on": "soon"}, "Write the day as in 2026-12-31"),
            ({"conditions-0-values": ""}, "Enter at least one value"),
            ({"conditions-0-values": "*"}, "stands for everything"),
            ({"conditions-0-field": "account", "conditions-0-values": "12345"}, "no AWS account id"),
            ({"conditions-0-field": "tag", "conditions-0-values": "=x"}, "names no tag"),
            ({"conditions-0-values": HOSTILE * 4}, "at most 64 characters"),
        ):
            browser.get_page("/rules/new")
            assert press(browser, "/rules/new", "preview", {**NEW, **values}).status_code == 422
            assert words in browser.page.text

    def test_an_owner_who_is_no_user_must_be_reachable_and_a_day_not_over(
        self, client1: User, admin: User, sign_in: SignIn, app: Flask
    ) -> None:
        browser = sign_in(admin)
        for values, words in (
            ({"owner_contact": ""}, "No user has this name"),
            ({"expires_on": "2020-01-01"}, "That day is over"),
        ):
            browser.get_page("/rules/new")
            press(browser, "/rules/new", "preview", {**NEW, **values})
            assert press(browser, "/rules/new", "save").status_code == 422
            assert words in browser.page.text
        rule_id = enter(browser, {"owner_name": "Client1", "owner_contact": ""})
        with app.app_context():
            rule = db.session.get_one(AuthorizationRule, rule_id)
            assert (rule.owner_id, rule.owner_contact) == (client1.id, client1.email)


class TestChanging:
    def test_it_is_told_with_who_and_what(self, app: Flask, admin: User, sign_in: SignIn) -> None:
        browser = sign_in(admin)
        rule_id = enter(browser)
        address = f"/rules/{rule_id}/edit"
        browser.get_page(address)
        press(browser, address, "preview", {"name": HOSTILE, "conditions-0-values": "m5.*"})
        assert press(browser, address, "save").status_code == 303
        text = browser.get_page(f"/rules/{rule_id}").text
        assert "Edited by admin" in text
        assert "Conditions: from type m5.* or c5.large → to type m5.*" in text
        assert f"Name: from CI runners → to {HOSTILE}" in text

    def test_who_looked_at_an_older_one_is_told(self, app: Flask, admin: User, sign_in: SignIn) -> None:
        browser, other = sign_in(admin), sign_in(admin)
        rule_id = enter(browser)
        address = f"/rules/{rule_id}/edit"
        for each in (browser, other):
            each.get_page(address)
            press(each, address, "preview", {"note": "another"})
        assert press(browser, address, "save").status_code == 303
        assert press(other, address, "save").status_code == 422
        assert "Somebody has changed the rule" in other.page.text

    def test_it_is_paused_resumed_removed_and_brought_back(
        self, app: Flask, account1: Account, admin: User, sign_in: SignIn
    ) -> None:
        ids = seed(app, account1)
        browser = sign_in(admin)
        rule_id = enter(browser)
        run_jobs(app)
        for deed, state, authorized in (
            ("pause", RuleState.PAUSED, False),
            ("resume", RuleState.ACTIVE, True),
            ("remove", RuleState.REMOVED, False),
            ("restore", RuleState.PAUSED, False),
        ):
            address = f"/rules/{rule_id}/{deed}"
            text = browser.get_page(address).text
            if deed in {"pause", "remove"}:
                assert "Fall back to unauthorized 3" in text
            assert browser.submit(address).status_code == 303
            run_jobs(app)
            with app.app_context():
                assert db.session.get_one(AuthorizationRule, rule_id).state is state
                status = AuthStatus.AUTHORIZED if authorized else AuthStatus.UNAUTHORIZED
                assert {db.session.get_one(Instance, pk).auth_status for pk in ids} == {status}
            assert browser.get_page(f"/rules/{rule_id}").heading == "CI runners"
        with app.app_context():
            edits = db.session.scalars(sa.select(AuthorizationRuleEdit).order_by(AuthorizationRuleEdit.id)).all()
            assert [each.action.value for each in edits] == ["created", "paused", "resumed", "removed", "restored"]
        browser.send(f"/rules/{rule_id}/pause")
        assert "paused meanwhile" in browser.get_page(f"/rules/{rule_id}").text


class TestWhoSeesWhat:
    def test_a_client_sees_the_rules_of_the_own_accounts_and_no_other_account(
        self, app: Flask, account1: Account, account2: Account, client1: User, client3: User, sign_in: SignIn
    ) -> None:
        with app.app_context():
            make_rule("theirs", ask(account="2" * 12))
            both = make_rule("both", ask(account=("1" * 12, "2" * 12))).id
            make_rule("everywhere", ask(type="m5.*"))
            db.session.commit()
        browser = sign_in(client1)
        page = browser.get_page("/rules")
        assert {"both", "everywhere"} <= set(page.links())
        assert "theirs" not in page.text
        for text in (page.text, browser.get_page(f"/rules/{both}").text):
            assert "1" * 12 in text
            assert "2" * 12 not in text
            assert "Edit" not in text
        assert "No rule covers your accounts" in sign_in(client3).get_page("/rules").text

    def test_the_number_of_queries_does_not_grow_with_the_rules(
        self, app: Flask, account1: Account, admin: User, sign_in: SignIn, count_queries: Any
    ) -> None:
        browser = sign_in(admin)
        counts = []
        for number in (1, 29):
            with app.app_context():
                for n in range(number):
                    make_rule(f"rule {n}", ask(account="1" * 12), expires_on=TODAY)
                db.session.commit()
            with count_queries() as statements:
                browser.get_page("/rules")
            counts.append(len(statements))
        assert counts[0] == counts[1]


class TestLeavingToTheRules:
    def test_it_says_what_came_of_it(self, app: Flask, account1: Account, admin: User, sign_in: SignIn) -> None:
        with app.app_context():
            make_rule("m5", ask(type="m5.*"))
            ids = [make_instance(account1, name=n, instance_type=t).id for n, t in (("a", "m5.large"), ("b", "x1.16"))]
            db.session.commit()
        browser = sign_in(admin)
        browser.send("/rules/decide", {"ids": [str(pk) for pk in ids], "next": "/instances"})
        assert "2 left to the rules: 1 authorized, 1 not." in browser.get_page("/instances").text
        with app.app_context():
            assert {name: each[1] for name, each in standings().items()} == {"a": "rule", "b": "none"}

    def test_what_is_not_there_is_refused_and_noted(self, admin: User, sign_in: SignIn, app: Flask) -> None:
        assert sign_in(admin).send("/rules/decide", {"ids": "77"}).status_code == 404
        with app.app_context():
            log = db.session.scalars(sa.select(SystemLog).where(SystemLog.component == "audit")).one()
            assert log.details["instances"] == [77]
