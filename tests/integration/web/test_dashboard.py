"""The overview as a page."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask

from app.database import db
from app.errors import FaultCode
from app.models import Account, ChangeTally, RegionScan, Run, User
from app.models.mixins import utc_now
from app.models.types import AccountHealth, AccountStatus, AuthStatus, RegionResult, RunKind, RunState
from app.services.instances.change_tallies import day_of
from app.services.system_log_handler import flush_logs
from tests.client import Page, text_of
from tests.conftest import SignIn
from tests.factories import make_account, make_instance
from tests.integration.rules.rules import ask, make_rule

SVG = "{http://www.w3.org/2000/svg}"


def figures(page: Page) -> dict[str, str]:
    """What the strip says, by its labels."""
    strip = page.all("dl", class_="figures")[0]
    return {text_of(each[0]): " ".join(text_of(part) for part in each[1:]) for each in strip}


def discovered(owner: User, **values: Any) -> Account:
    """An account that was read a moment ago."""
    now = utc_now()
    account = make_account(
        db.session.get_one(User, owner.id), **{"status": AccountStatus.ACTIVE, "last_good_at": now, **values}
    )
    db.session.add(
        RegionScan(account_id=account.id, region="us-east-1", result=RegionResult.READ, since_at=now, last_read_at=now)
    )
    db.session.add(
        Run(
            kind=RunKind.DISCOVER_ACCOUNT,
            account_id=account.id,
            state=RunState.SUCCEEDED,
            due_at=now,
            finished_at=now,
            worker="worker-1",
        )
    )
    return account


class TestOverview:
    def test_it_counts_one_s_own_and_says_how_fresh_that_is(
        self, app: Flask, sign_in: SignIn, client1: User, client2: User
    ) -> None:
        with app.app_context():
            mine, other = discovered(client1), discovered(client2, account_name="Not mine")
            for _ in range(2):
                make_instance(mine, lifecycle="spot")
            make_instance(mine, auth_status=AuthStatus.UNAUTHORIZED)
            make_instance(mine, state="stopped")
            for _ in range(5):
                make_instance(other, region="eu-west-3")
            db.session.commit()
        page = sign_in(client1).get_page("/")
        assert page.heading == "Overview"
        shown = figures(page)
        assert shown["Accounts"] == "1 all healthy"
        assert shown["Running"] == "3 of 4 instances"
        # Rounded down.
        assert shown["On spot"] == "66.6% 2 of the running"
        assert shown["Unauthorized"] == "1 nobody has said yes to them"
        assert shown["Regions read"].startswith("1 of 1 as of ")
        assert "Not mine" not in page.text
        assert "eu-west-3" not in page.text

    def test_each_count_leads_to_a_list_of_as_many(self, app: Flask, sign_in: SignIn, client1: User) -> None:
        with app.app_context():
            account = discovered(client1)
            discovered(client1, account_name="Another")
            for kind in ("m5.large", "m5.large", "m5.xlarge", "c5.large"):
                make_instance(account, instance_type=kind, lifecycle="spot")
            make_instance(account, state="stopped", auth_status=AuthStatus.UNAUTHORIZED)
            make_instance(account, state="stopping")
            make_instance(account, state="terminated", auth_status=AuthStatus.UNAUTHORIZED)
            db.session.commit()
        browser = sign_in(client1)
        page = browser.get_page("/")
        links = {(text_of(a), a.get("href", "")) for a in page.one("main").iter("a")}
        counts = {(text, href) for text, href in links if text.isdigit() and href.startswith("/instances?")}
        assert len(counts) >= 5
        for text, href in counts:
            listed = browser.get_page(href)
            assert len(listed.all("th", scope="row")) == int(text), href
        [family] = [href for text, href in links if text == "m5"]
        assert set(parse_qs(urlsplit(family).query)["type"]) == {"m5.large", "m5.xlarge"}
        assert len(browser.get_page(family).all("th", scope="row")) == 3

    def test_it_names_who_needs_somebody_and_what_to_do(
        self, app: Flask, sign_in: SignIn, client1: User, admin: User
    ) -> None:
        with app.app_context():
            for number in range(11):
                discovered(
                    client1,
                    account_name=f"Broken {number:02}",
                    status=AccountStatus.FAILED,
                    health=AccountHealth.REFUSED,
                    error_code=FaultCode.INVALID_ACCESS_KEY,
                )
            db.session.commit()
        page = sign_in(client1).get_page("/")
        assert page.text.count("AWS does not know this access key.") == 8
        assert page.text.count("It was deleted or made inactive") == 1
        assert "and 3 more accounts" in page.text
        assert "of client1" not in page.text
        assert "of client1" in sign_in(admin).get_page("/").text

    def test_it_names_rules_that_end(self, app: Flask, sign_in: SignIn, client1: User, admin: User) -> None:
        today = utc_now().date()
        with app.app_context():
            make_instance(discovered(client1))
            made = {"Near": 3, "Far": 60, "Over, and nothing lost": -2}
            ids = {
                name: make_rule(name, ask(region="us-east-1"), expires_on=today + timedelta(days=days)).id
                for name, days in made.items()
            }
            db.session.commit()
        page = sign_in(admin).get_page("/")
        assert page.links()["Near"] == f"/rules/{ids['Near']}"
        assert f"Its last day is {today + timedelta(days=3)}." in page.text
        assert "Far" not in page.links()
        assert "Over, and nothing lost" not in page.links()
        assert "Needs you 1" in page.text

    def test_the_changes_of_today_are_a_link_away(self, app: Flask, sign_in: SignIn, client1: User) -> None:
        with app.app_context():
            discovered(client1)
            db.session.commit()
        browser = sign_in(client1)
        address = browser.get_page("/").links()["Changes of today"]
        assert browser.get_page(address).heading == "Changes"
        assert not browser.page.all("p", class_="error")

    def test_it_says_when_nothing_needs_anybody(self, app: Flask, sign_in: SignIn, client1: User) -> None:
        with app.app_context():
            make_instance(discovered(client1))
            db.session.commit()
        assert "Nothing needs you: every account is healthy" in sign_in(client1).get_page("/").text

    def test_it_draws_the_days_and_tells_them_in_a_table(self, app: Flask, sign_in: SignIn, client1: User) -> None:
        today = day_of(utc_now())
        with app.app_context():
            account = discovered(client1)
            db.session.add(ChangeTally(account_id=account.id, day=today, readings=4, started=3))
            db.session.add(
                ChangeTally(account_id=account.id, day=today - timedelta(days=2), readings=90, started=12, vanished=1)
            )
            db.session.commit()
        page = sign_in(client1).get_page("/")
        [drawing] = [
            each for each in page.all(f"{SVG}svg", class_="spark") if each.get("aria-label", "").startswith("Started")
        ]
        assert drawing.get("aria-label") == (
            f"Started, 14 days: at most 12 on {today - timedelta(days=2)}; 12 days without data"
        )
        assert len(drawing.findall(f"{SVG}rect")) == 14
        assert [each.get("class") for each in drawing.findall(f"{SVG}rect")].count("unknown") == 12
        assert "Started 3 at most 12 a day" in page.text
        table = next(each for each in page.all("table") if "Changes by day" in text_of(each))
        rows = [[text_of(cell) for cell in row] for row in table.findall("tbody/tr")]
        assert rows[:3] == [
            [str(today), "0", "3", "0", "0", "0", "1"],
            [str(today - timedelta(days=1)), "no data: nothing was read"],
            [str(today - timedelta(days=2)), "0", "12", "0", "0", "1", "1"],
        ]

    def test_it_leads_who_has_nothing_through_three_steps(self, sign_in: SignIn, client3: User) -> None:
        page = sign_in(client3).get_page("/")
        assert len(page.one("ol", class_="steps").findall("li")) == 3
        assert page.links()["Connect an account"] == "/accounts/new"

    def test_before_the_first_reading_counts_are_unknown(
        self, sign_in: SignIn, account1: Account, client1: User
    ) -> None:
        shown = figures(sign_in(client1).get_page("/"))
        assert shown["Running"] == "\N{EN DASH} not read yet"
        assert shown["Unauthorized"] == "\N{EN DASH} not read yet"

    def test_thirty_accounts_take_as_many_queries_as_one(
        self, app: Flask, sign_in: SignIn, admin: User, client1: User, count_queries: Callable[[], Any]
    ) -> None:
        def fill(number: int) -> None:
            with app.app_context():
                for _ in range(number):
                    account = discovered(client1, health=AccountHealth.PARTIAL)
                    make_instance(account, auth_status=AuthStatus.UNAUTHORIZED)
                    make_instance(account, state="stopped", region="eu-west-1")
                db.session.commit()
            flush_logs()

        for person in (client1, admin):
            fill(1)
            browser = sign_in(person)
            browser.get("/")
            with count_queries() as few:
                browser.get("/")
            fill(29)
            with count_queries() as many:
                browser.get("/")
            assert len(few) == len(many), person.username


class TestInstallation:
    def test_admins_see_how_the_installation_does_and_clients_do_not(
        self, app: Flask, sign_in: SignIn, admin: User, client1: User
    ) -> None:
        with app.app_context():
            discovered(client1)
            db.session.commit()
        text = sign_in(admin).get_page("/").text
        assert "SQLite 3." in text
        assert "the newest" in text
        assert "worker-1" in text
        assert "Installation well" in text
        assert "Installation" not in sign_in(client1).get_page("/").text

    def test_it_says_what_waits_what_is_lost_and_who_is_behind(
        self, app: Flask, sign_in: SignIn, admin: User, client1: User
    ) -> None:
        now = utc_now()
        with app.app_context():
            account = discovered(client1, next_due_at=now - timedelta(minutes=30))
            db.session.add(Run(kind=RunKind.VERIFY_ACCOUNT, account_id=account.id, due_at=now - timedelta(minutes=20)))
            # One that waits for its time, and not for a worker.
            db.session.add(Run(kind=RunKind.PRUNE, due_at=now + timedelta(minutes=20)))
            db.session.add(
                Run(
                    kind=RunKind.CHECK_IDENTITY,
                    due_at=now,
                    state=RunState.RUNNING,
                    token="t",
                    lease_until=now - timedelta(minutes=1),
                )
            )
            db.session.commit()
        text = sign_in(admin).get_page("/").text
        assert "Installation look here" in text
        assert "Jobs waiting 1 the oldest has been due since" in text
        assert "no worker takes them up" in text
        assert "1 without a sign of life" in text
        assert "was not queued" in text
