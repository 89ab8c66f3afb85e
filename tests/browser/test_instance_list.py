"""What only a browser shows of the list of instances: its keys, and its sheets."""

from playwright.sync_api import expect

from app.database import db
from app.models import User
from app.models.types import AccountStatus, AuthStatus
from tests.browser.conftest import PHONE, OpenPage, Site
from tests.factories import make_account, make_instance


def seed(site: Site, owner: User) -> None:
    with site.app.app_context():
        account = make_account(db.session.get_one(User, owner.id), status=AccountStatus.ACTIVE)
        for number in range(3):
            make_instance(
                account,
                name=f"web-{number}",
                state="running" if number else "stopped",
                auth_status=AuthStatus.UNAUTHORIZED,
            )
        db.session.commit()


class TestKeys:
    def test_rows_are_walked_selected_and_opened_without_a_mouse(
        self, site: Site, client1: User, admin: User, open_page: OpenPage
    ) -> None:
        seed(site, client1)
        page = open_page(as_=admin)
        page.goto("/instances")
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(page.get_by_role("link", name="web-1")).to_be_focused()
        page.keyboard.press("x")
        expect(page.locator("#announcer")).to_have_text("Selected")
        expect(page.locator(".bulk output")).to_have_text("1 selected")
        page.keyboard.press("k")
        expect(page.get_by_role("link", name="web-0")).to_be_focused()
        page.keyboard.press("/")
        expect(page.locator("#q")).to_be_focused()
        page.keyboard.type("jx?")
        expect(page.locator("#q")).to_have_value("jx?")
        expect(page.locator("#help")).to_be_hidden()
        page.locator("h1").click()
        page.keyboard.press("?")
        expect(page.locator("#help")).to_be_visible()
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("o")
        expect(page.get_by_role("heading", level=1)).to_have_text("web-0")

    def test_they_can_be_switched_off(self, site: Site, client1: User, open_page: OpenPage) -> None:
        seed(site, client1)
        page = open_page(as_=client1)
        page.goto("/instances/display")
        page.get_by_label("Single keys").select_option("off")
        page.get_by_role("button", name="Apply").click()
        page.keyboard.press("j")
        expect(page.get_by_role("link", name="web-0")).not_to_be_focused()


class TestSheets:
    def test_a_facet_opens_in_place_and_narrows_the_list(self, site: Site, client1: User, open_page: OpenPage) -> None:
        seed(site, client1)
        for size, opener in (({"width": 1440, "height": 900}, "State"), (PHONE, "Filters")):
            page = open_page(as_=client1, viewport=size)
            page.goto("/instances")
            page.locator(".facets").get_by_role("link", name=opener).click()
            sheet = page.locator("#sheet")
            expect(sheet).to_be_visible()
            sheet.get_by_role("checkbox", name="stopped", exact=True).check()
            sheet.get_by_label("Leave out stopped").check()
            expect(sheet.get_by_role("checkbox", name="stopped", exact=True)).not_to_be_checked()
            sheet.get_by_role("button", name="Apply").click()
            expect(page.locator("tbody tr")).to_have_count(2)
            expect(page.locator(".chip")).to_contain_text("State not: stopped")
            assert page.url.endswith("/instances?-state=stopped")

    def test_without_a_script_the_same_links_are_pages(self, site: Site, client1: User, open_page: OpenPage) -> None:
        seed(site, client1)
        page = open_page(as_=client1, java_script_enabled=False)
        page.goto("/instances")
        page.locator(".facets").get_by_role("link", name="State").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("State")
        page.get_by_role("checkbox", name="stopped", exact=True).check()
        page.get_by_role("button", name="Apply").click()
        expect(page.locator("tbody tr")).to_have_count(1)
