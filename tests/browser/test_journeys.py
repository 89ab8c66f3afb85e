"""What people really do, done in a browser: signing in, connecting an account, seeing it come to life."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from app.database import db
from app.models import Account, Run, SystemLog, User
from app.models.types import LogLevel, RunState
from demo.aws.cloud import SimulatedAws
from tests.browser.conftest import PHONE, OpenPage, Site
from tests.factories import PASSWORD
from tests.integration.customers import AWS_ID, connected, make_role


def type_in(page: Page, username: str, password: str) -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def fact(page: Page, label: str) -> str:
    """A fact of the account's page, as it reads now."""
    return (
        page.locator("dl.facts > div", has=page.locator("dt", has_text=re.compile(f"^{label}$")))
        .locator("dd")
        .inner_text()
    )


def enter_account(page: Page) -> int:
    """Fill in the first form; returns the account's id."""
    page.goto("/accounts")
    page.get_by_role("link", name="Connect an account").first.click()
    page.get_by_label("Name", exact=True).fill("Production")
    page.get_by_label("AWS account id").fill(AWS_ID)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(re.compile(r"/accounts/\d+$"))
    return int(page.url.rsplit("/", 1)[1])


def account_of(site: Site, number: int) -> Account:
    with site.app.app_context():
        from app.database import db

        account = db.session.get_one(Account, number)
        db.session.expunge(account)
    return account


def ask_now(site: Site) -> None:
    """As if the next try's time had come."""
    with site.app.app_context():
        from app.database import db

        for run in db.session.query(Run).filter_by(state=RunState.QUEUED):
            run.due_at = run.created_at
        db.session.commit()


class TestSigningIn:
    def test_with_a_wrong_password_and_then_the_right_one(self, client1: User, open_page: OpenPage) -> None:
        page = open_page()
        page.goto("/accounts")
        expect(page).to_have_url(re.compile(r"/sign-in\?next="))
        type_in(page, "client1", "not the password at all")
        expect(page.locator(".notice.danger, .error")).to_be_visible()
        assert "password" in page.locator("main").inner_text().lower()
        type_in(page, "client1", PASSWORD)
        expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")

        page.locator("details.user summary").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        page.goto("/accounts")
        expect(page).to_have_url(re.compile(r"/sign-in\?next="))
        page.go_back()
        expect(page.get_by_text("client1")).to_have_count(0)

    def test_with_the_keyboard_alone(self, client1: User, account1: Account, open_page: OpenPage) -> None:
        page = open_page()
        page.goto("/accounts")
        reach(page, "username")
        page.keyboard.type("client1")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        reach(page, "Production")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "where the focus is cannot be seen"
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Production")


def reach(page: Page, name: str, *, steps: int = 40) -> None:
    """Press Tab until the element of this name or these words has the focus."""
    for _ in range(steps):
        if page.evaluate(
            "n => [document.activeElement.name, document.activeElement.textContent.trim()].includes(n)", name
        ):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name!r} is not reached by {steps} presses of Tab")


class TestConnectingByRole:
    def test_from_add_account_to_what_was_found_with_nothing_pasted(
        self, aws: SimulatedAws, site: Site, client1: User, open_page: OpenPage
    ) -> None:
        aws.run_instances(AWS_ID, "us-east-1", 2, has_public_ip=True)
        aws.run_instances(AWS_ID, "us-east-1", 1, lifecycle="spot")
        page = open_page(as_=client1)
        page.goto("/accounts/new")
        expect(page.get_by_role("button", name="Show the policy for this choice")).to_be_hidden()
        page.get_by_label("Name", exact=True).fill("Production")
        page.get_by_label("Spot prices").uncheck()
        expect(page.locator("#policy")).not_to_contain_text("DescribeSpotPriceHistory")
        page.get_by_label("The organization's accounts").check()
        expect(page.locator("#policy")).to_contain_text("organizations:ListAccounts")
        assert page.get_by_label("Name", exact=True).input_value() == "Production"
        page.get_by_label("AWS account id").fill(AWS_ID)
        page.get_by_role("button", name="Continue").click()
        page.wait_for_url(re.compile(r"/accounts/\d+$"))
        account = account_of(site, int(page.url.rsplit("/", 1)[1]))
        page.evaluate("window.isSamePage = true")
        page.get_by_label("Role ARN").fill("arn:aws:iam::half")
        page.locator("h1").click()

        assert site.run_jobs(limit=1) == 1
        expect(page.get_by_role("heading", name="Looking for the role")).to_be_visible()
        expect(page.locator("[aria-current=step]")).to_contain_text("Make the role")
        assert page.get_by_label("Role ARN").input_value() == "arn:aws:iam::half", "what was typed is lost"
        make_role(aws, account)  # in the other tab
        ask_now(site)
        assert site.run_jobs(limit=1) == 1
        expect(page.locator("[aria-current=step]")).to_contain_text("First reading")
        assert site.run_jobs(limit=1) == 1
        expect(page.get_by_role("heading", name="What we found")).to_be_visible()
        assert page.evaluate("window.isSamePage") is True, "the page was loaded again"
        figures = page.locator("dl.figures")
        expect(figures).to_contain_text("33.3%")
        expect(page.get_by_role("link", name="Switch on events")).to_be_visible()
        figures.get_by_role("link", name="33.3%").click()
        expect(page.locator("tbody tr")).to_have_count(1)

    def test_the_page_follows_from_pending_to_active_by_itself(
        self, aws: SimulatedAws, site: Site, client1: User, open_page: OpenPage
    ) -> None:
        aws.run_instances(AWS_ID, "us-east-1", 3, tags={"Name": "web"})
        page = open_page(as_=client1)
        number = enter_account(page)
        account = account_of(site, number)
        assert fact(page, "Status") == "pending"
        assert page.locator(".copyable", has_text=account.external_id).first.is_visible()

        page.get_by_label("Role ARN").fill(f"arn:aws:iam::{AWS_ID}:user/ops")
        page.get_by_role("button", name="Verify the role").click()
        expect(page.locator(".error")).to_contain_text("This is the ARN of a user")
        page.get_by_label("Role ARN").fill(make_role(aws, account))
        page.get_by_role("button", name="Verify the role").click()
        expect(page.get_by_text("Verification is waiting for a worker")).to_be_visible()
        page.evaluate("window.isSamePage = true")

        assert site.run_jobs(limit=1) == 1
        expect(page.locator("dl.facts")).to_contain_text("connected")
        assert site.run_jobs(limit=1) == 1
        expect(page.locator("dl.facts")).to_contain_text("active")
        expect(page.get_by_role("button", name="Discover now")).to_be_enabled()

        assert page.evaluate("window.isSamePage") is True, "the page was loaded again"
        assert fact(page, "Instances") == "3"
        assert fact(page, "Regions read") == "2 of 2"
        assert page.locator("[data-live]").count() == 0, "it goes on asking although nothing runs"
        page.locator("dl.facts").get_by_role("link", name="3").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Instances")
        expect(page.locator("tbody tr")).to_have_count(3)

    def test_the_same_without_javascript(
        self, aws: SimulatedAws, site: Site, client1: User, open_page: OpenPage
    ) -> None:
        aws.run_instances(AWS_ID, "us-east-1", 2)
        page = open_page(java_script_enabled=False)
        page.goto("/sign-in")
        type_in(page, "client1", PASSWORD)
        number = enter_account(page)
        assert page.locator("button[data-copy], button[data-copy-text]").locator("visible=true").count() == 0
        page.get_by_label("Role ARN").fill(make_role(aws, account_of(site, number)))
        page.get_by_role("button", name="Verify the role").click()
        expect(page.get_by_text("Verification is waiting for a worker")).to_be_visible()
        for status in ("connected", "active"):
            assert site.run_jobs(limit=1) == 1
            page.reload()
            assert fact(page, "Status") == status
        page.get_by_role("button", name="Discover now").click()
        expect(page.get_by_text("Discovery is waiting for a worker")).to_be_visible()
        site.run_jobs()
        page.goto("/accounts")
        assert page.locator("tbody tr").inner_text().count("active") == 1
        page.goto(f"/accounts/{number}/disconnect")
        page.get_by_label("Type the account's name").fill("Production")
        page.get_by_role("button", name="Disconnect").click()
        expect(page.get_by_text("No account is connected yet")).to_be_visible()

    def test_the_list_follows_too_and_keeps_the_focus(
        self, aws: SimulatedAws, site: Site, client1: User, open_page: OpenPage
    ) -> None:
        page = open_page(as_=client1)
        number = enter_account(page)
        page.get_by_label("Role ARN").fill(make_role(aws, account_of(site, number)))
        page.get_by_role("button", name="Verify the role").click()
        page.goto("/accounts")
        link = page.get_by_role("link", name="Production")
        link.focus()
        site.run_jobs()
        expect(page.locator("tbody")).to_contain_text("active")
        expect(link).to_be_focused()


@contextmanager
def working(site: Site) -> Iterator[None]:
    """A worker does what is queued while the page is looked at."""
    worker = threading.Thread(target=site.run_jobs)
    worker.start()
    yield
    worker.join()


class TestFollowingADiscovery:
    @pytest.fixture
    def page(self, aws: SimulatedAws, site: Site, client1: User, open_page: OpenPage) -> Page:
        """The page of a connected account, with three instances in the region that answers.

        The other does not until its fault is taken back.
        """
        account = connected(site.app, aws, client1)
        site.run_jobs()
        aws.run_instances(AWS_ID, "us-east-1", 3, tags={"Name": "web"})
        aws.faults.add("hang", region="eu-west-1", action="DescribeInstances", seconds=600)
        page = open_page(as_=client1)
        page.goto(f"/accounts/{account.id}")
        page.get_by_role("button", name="Discover now").click()
        return page

    def test_the_page_tells_how_far_it_is_and_then_what_came_of_it(
        self, aws: SimulatedAws, site: Site, page: Page
    ) -> None:
        panel = page.get_by_role("region", name="Discovery is")
        expect(panel).to_contain_text("waiting for a worker")
        with working(site):
            expect(panel).to_contain_text("1 of 2 regions")
            expect(panel.locator(".figures")).to_contain_text(re.compile(r"Instances seen\s*3\s*New\s*3"))
            expect(page.locator("#announcer")).to_have_text("Discovery is running, half of the regions done")
            aws.faults.clear()
            expect(panel).to_have_count(0)
        expect(page.locator("#announcer")).to_contain_text("Discovery done: 2 of 2 regions, 3 instances")
        assert fact(page, "Instances") == "3"

    def test_it_is_canceled_and_what_was_read_stays(self, site: Site, page: Page) -> None:
        with working(site):
            expect(page.get_by_text("1 of 2 regions", exact=True)).to_be_visible()
            page.get_by_role("button", name="Cancel").click()
            expect(page.get_by_role("status").first).to_contain_text("What was read until then stays")
        assert page.locator("[data-live]").count() == 0
        page.get_by_role("link", name="Discovery").first.click()
        expect(page.locator(".lead")).to_contain_text("canceled")
        expect(page.locator("tbody")).to_contain_text("Appeared, running")
        page.goto("/instances")
        expect(page.locator("tbody tr")).to_have_count(3)


class TestConnectingByKeys:
    def test_it_becomes_active_and_the_secret_is_gone(
        self, aws: SimulatedAws, site: Site, client1: User, open_page: OpenPage
    ) -> None:
        keys = aws.create_user_keys(AWS_ID)
        page = open_page(as_=client1)
        page.goto("/accounts/new")
        page.get_by_role("link", name="Access keys").first.click()
        page.get_by_label("Name", exact=True).fill("By keys")
        page.get_by_label("AWS account id").fill(AWS_ID)
        page.get_by_label("Access key id").fill("ASIAIOSFODNN7EXAMPLE")
        page.get_by_label("Secret access key").fill(keys.secret_access_key)
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.locator(".error")).to_contain_text("temporary")
        assert page.get_by_label("Secret access key").input_value() == ""
        page.get_by_label("Access key id").fill(keys.access_key_id)
        page.get_by_label("Secret access key").fill(keys.secret_access_key)
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("By keys")
        site.run_jobs()
        expect(page.locator("dl.facts")).to_contain_text("active")
        assert keys.secret_access_key not in page.content()
        assert keys.access_key_id not in page.content()


class TestTheFrame:
    @pytest.mark.parametrize("has_script", [True, False])
    def test_the_theme_is_switched_and_kept(self, client1: User, open_page: OpenPage, has_script: bool) -> None:
        page = open_page(as_=client1, java_script_enabled=has_script, color_scheme="light")
        page.goto("/accounts")
        light = background(page) if has_script else ""
        page.locator("details.user summary").click()
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.goto("/me")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        if has_script:
            assert background(page) != light

    @pytest.mark.parametrize("has_script", [True, False])
    def test_the_menu_of_a_phone_opens_and_leads_on(self, client1: User, open_page: OpenPage, has_script: bool) -> None:
        page = open_page(as_=client1, viewport=PHONE, java_script_enabled=has_script)
        page.goto("/me")
        link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Accounts")
        expect(link).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        expect(link).to_be_visible()
        link.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Accounts")
        expect(link).to_be_hidden()

    def test_copying_copies(self, site: Site, client1: User, open_page: OpenPage) -> None:
        page = open_page(as_=client1, permissions=["clipboard-read", "clipboard-write"])
        account = account_of(site, enter_account(page))
        page.get_by_role("button", name="Copy the External ID").first.click()
        assert page.evaluate("navigator.clipboard.readText()") == account.external_id


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


class TestFollowingTheLog:
    def test_new_lines_come_to_the_top_until_one_stops(
        self, site: Site, admin: User, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.web.views.system_logs.FOLLOW_SECONDS", 0.3)
        monkeypatch.setattr("app.services.log_search.SETTLE", timedelta(milliseconds=50))

        def log(message: str) -> None:
            with site.app.app_context():
                db.session.add(SystemLog(component="told", level=LogLevel.INFO, message=message, details={"a": 1}))
                db.session.commit()

        page = open_page(as_=admin)
        page.goto("/system-logs?component=told&follow=1")
        lines = page.locator("#log-lines th")
        expect(lines).to_have_count(0)
        log("the first")
        expect(lines).to_have_count(1)
        page.locator("#log-lines summary").click()
        log("the second")
        expect(lines).to_have_count(2)
        expect(lines.first).to_contain_text("the second")
        assert page.locator("#log-lines details[open]").count() == 1, "what was unfolded stays so"
        page.get_by_role("link", name="Stop").click()
        expect(page.get_by_role("link", name="Follow")).to_be_visible()
        assert page.locator("[data-live]").count() == 0
