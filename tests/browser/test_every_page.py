"""Every page of the console as everybody who may open it: accessible, inside its width, quiet, and from one host.

axe runs on each page in light and dark, on a phone and a wide screen, with everything unfolded. It is put into the page
by the browser, which the content security policy allows, and stays there for both schemes.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page

from app.database import db
from demo.aws.server import AwsServer
from tests.architecture.access_table import TABLE, VIEWERS
from tests.browser.conftest import (
    PHONE,
    WIDE,
    Site,
    Watch,
    give_session,
    know_identity,
    new_context,
    no_overflow,
    serving,
)
from tests.browser.world import Seeded, seed
from tests.conftest import make_app, make_config
from tests.fakes.aws import APP_ACCOUNT, APP_PERMISSIONS, TWO_REGIONS

#: Addresses for each endpoint that answers with a page; {names} are rows of `world.py`.
PAGES = {
    "dashboard.index": ["/"],
    "accounts.index": ["/accounts", "/accounts?status=failed", "/accounts?q=nothing+like+it"],
    "accounts.new": ["/accounts/new", "/accounts/new?method=access_keys"],
    "accounts.show": ["/accounts/{active}", "/accounts/{new}", "/accounts/{open}", "/accounts/{gone}"],
    "account_batches.new": ["/accounts/many"],
    "account_batches.show": ["/accounts/many/{batch}"],
    "account_organization.show": ["/accounts/{active}/organization", "/accounts/{new}/organization"],
    "accounts.found": ["/accounts/{active}/found", "/accounts/{new}/found"],
    "accounts.allow": ["/accounts/{active}/allow"],
    "accounts.rename": ["/accounts/{open}/rename"],
    "accounts.credentials": ["/accounts/{active}/credentials", "/accounts/{gone}/credentials"],
    "accounts.disconnect": ["/accounts/{open}/disconnect"],
    "account_events.show": ["/accounts/{active}/events"],
    "runs.index": ["/accounts/{active}/runs", "/accounts/{new}/runs"],
    "runs.show": ["/accounts/{active}/runs/{discovery}", "/accounts/{open}/runs/{refused}"],
    "instances.index": [
        "/instances",
        "/instances?state=running&lifecycle=spot&tag=note",
        "/instances?auth_status=unauthorized",
        "/instances?q=nothing+like+it",
        "/instances?q=color:red",
        "/instances?column=name&column=imds&column=exposure&column=vpc&column=platform&column=console&column=tag:note",
    ],
    "instances.filters": ["/instances/filters?state=running", "/instances/filters?facet=type"],
    "instances.choose_display": ["/instances/display"],
    "instances.choose_matching": ["/instances/authorize/matching", "/instances/authorize/matching?state=running"],
    "instances.show": ["/instances/{hostile}", "/instances/{missing}"],
    "exports.new": ["/instances/export", "/instances/export?state=running&q=%22unclosed"],
    "saved_views.index": ["/views"],
    "saved_views.choose": ["/views/choose?state=running", "/views/choose?state=stopped&view={view}"],
    "saved_views.edit": ["/views/{view}/edit"],
    "instance_comparison.show": [
        "/instances/{hostile}/compare",
        "/instances/{missing}/compare?from=2020-01-01&to=tomorrow",
    ],
    "past.index": [
        "/instances/as-of",
        f"/instances/as-of?at={datetime.now(UTC):%Y-%m-%d}&state=running",
        f"/instances/as-of?at={datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "/instances/as-of?at=1999-12-31",
    ],
    "changes.index": ["/changes", "/changes?period=day&kind=tags", "/changes?period=date&since=1999-12-31"],
    "rules.index": ["/rules", "/rules?removed=1"],
    "rules.show": ["/rules/{ending}", "/rules/{expired}"],
    "rules.new": ["/rules/new?tag=team%3Dci&type=m5.large"],
    "rules.change": ["/rules/{ending}/edit"],
    "rules.act": ["/rules/{ending}/pause", "/rules/{ending}/remove"],
    "experiments.index": ["/experiments"],
    "downtime.index": ["/downtime"],
    "system_logs.index": ["/system-logs", "/system-logs?component=tests&level=warning", "/system-logs?follow=1"],
    "users.index": ["/users"],
    "users.new": ["/users/new"],
    "users.show": ["/users/{client3}", "/users/{superadmin}"],
    "me.show": ["/me"],
    "me.password": ["/me/password"],
    "me.confirm": ["/me/confirm"],
    "auth.sign_in": ["/sign-in", "/sign-in?next=/accounts"],
}
#: Endpoints of other things than pages; fragments are seen inside the pages that they renew.
NOT_PAGES = {
    "static",
    "health.alive",
    "health.ready",
    "accounts.table",
    "accounts.policy",
    "account_batches.table",
    "account_batches.template",
    "account_organization.members",
    "accounts.progress",
    "accounts.template",
    "account_events.template",
    "instances.download",
    "exports.latest",
    "saved_views.show",
    "system_logs.newer",
}
COLOR_RULES = ["color-contrast", "link-in-text-block"]
VISITORS = ("anonymous", "client1", "client3", "admin", "superadmin")


@pytest.fixture(scope="session")
def seeded(
    tmp_path_factory: pytest.TempPathFactory, migrated_database: object, aws_server: AwsServer
) -> Iterator[tuple[Site, Seeded]]:
    folder = tmp_path_factory.mktemp("every-page")
    shutil.copyfile(str(migrated_database), folder / "spotkeeper.db")
    app = make_app(make_config(folder))
    cloud = aws_server.cloud
    cloud.reset()
    cloud.default_regions = TWO_REGIONS
    ours = cloud.create_user_keys(APP_ACCOUNT, "spotkeeper", APP_PERMISSIONS)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", aws_server.url)
        environment.setenv("AWS_ACCESS_KEY_ID", ours.access_key_id)
        environment.setenv("AWS_SECRET_ACCESS_KEY", ours.secret_access_key)
        environment.setenv("AWS_REGION", "us-east-1")
        know_identity(app)
        world = seed(app, cloud)
    with serving(app) as site:
        yield site, world
    with app.app_context():
        db.engine.dispose()


def addresses(world: Seeded, visitor: str) -> list[tuple[str, str]]:
    """(Endpoint, address) of what this visitor may open, by the access table; client3, who owns nothing, no object's.

    A super admin's pages are an admin's but for those of their own, and for the buttons on an account's.
    """

    open_to = [name for name in PAGES if may(visitor, name)]
    if visitor == "superadmin":
        open_to = [name for name in open_to if not may("admin", name) or name == "accounts.show"]
    if visitor != "anonymous":
        open_to = [name for name in open_to if name != "auth.sign_in"]  # leads on who is signed in
    names = {
        **world.accounts,
        **world.instances,
        **world.runs,
        **world.rules,
        **world.views,
        **{name: user.id for name, user in world.people.items()},
    }
    return [(name, pattern.format(**names)) for name in open_to for pattern in PAGES[name]]


def may(viewer: str, name: str) -> bool:
    return TABLE[f"GET {name}"].split()[VIEWERS.index(viewer)] == "+"


def is_for_axe(visitor: str, size: dict[str, int], name: str, *, is_first: bool) -> bool:
    """Whether axe looks, too; it takes longer than all else.

    At every address on the wide screen, and at one of each endpoint on a phone; and as an admin, where a client has
    seen the rest, at one of each endpoint on the wide screen.
    """
    is_known = visitor == "admin" and may("client1", name)
    return (is_first or not is_known) if size == WIDE else (is_first and not is_known)


def violations(page: Page, rules: list[str] | None = None) -> list[str]:
    """What axe objects to in the page as it looks now, by all rules or by these."""
    found: list[str] = page.evaluate(
        """async (options) => (await axe.run(options)).violations.flatMap(
             (each) => each.nodes.slice(0, 3).map((node) => `${each.id}: ${node.html.slice(0, 150)}`))""",
        {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})},
    )
    return found


class TestEveryPage:
    @pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
    @pytest.mark.parametrize("visitor", VISITORS)
    def test_it_is_accessible_and_quiet_and_keeps_its_width(
        self, chromium: Browser, seeded: tuple[Site, Seeded], visitor: str, size: dict[str, int]
    ) -> None:
        site, world = seeded
        context = new_context(chromium, site, viewport=size)
        context.add_init_script(Axe().axe_script)
        if visitor != "anonymous":
            give_session(context, site, world.people[visitor])
        page = context.new_page()
        watch = Watch(page, urlsplit(site.url).netloc)
        faults = []
        seen: set[str] = set()
        for name, address in addresses(world, visitor):
            response = page.goto(address)
            assert response is not None
            assert (response.status, page.url) == (200, site.url + address)
            page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
            if is_for_axe(visitor, size, name, is_first=name not in seen):
                page.emulate_media(color_scheme="light")
                faults += [f"{address}, light: {each}" for each in violations(page)]
                # The other scheme changes colors and nothing else.
                page.emulate_media(color_scheme="dark")
                faults += [f"{address}, dark: {each}" for each in violations(page, COLOR_RULES)]
            seen.add(name)
            if wide := no_overflow(page):
                faults.append(f"{address}: wider than the screen: {wide}")
        context.close()
        assert faults == []
        assert watch.faults == []

    def test_what_an_instance_is_called_harms_nobody(self, chromium: Browser, seeded: tuple[Site, Seeded]) -> None:
        site, world = seeded
        context = new_context(chromium, site, viewport=PHONE)
        give_session(context, site, world.people["client1"])
        page = context.new_page()
        watch = Watch(page, urlsplit(site.url).netloc)
        for pk in world.odd_instances:
            page.goto(f"/instances/{pk}")
            assert page.locator("main script, main img, main svg[onload]").count() == 0
            assert no_overflow(page) is None, page.url
        page.goto("/instances?sort=name")
        assert "<script>alert('tag')</script>" in page.locator("main").inner_text()
        context.close()
        assert watch.faults == []

    def test_no_page_is_forgotten(self, app: Flask) -> None:
        endpoints = {rule.endpoint for rule in app.url_map.iter_rules() if "GET" in (rule.methods or set())}
        forgotten = sorted(endpoints - set(PAGES) - NOT_PAGES)
        gone = sorted((set(PAGES) | NOT_PAGES) - endpoints)
        assert forgotten == [], "Add their addresses to PAGES, or name them in NOT_PAGES"
        assert gone == [], "Take them out of PAGES or NOT_PAGES"

    def test_these_checks_find_what_they_are_for(self, chromium: Browser, site: Site) -> None:
        context = new_context(chromium, site, viewport=PHONE)
        context.add_init_script(Axe().axe_script)
        page = context.new_page()
        watch = Watch(page, urlsplit(site.url).netloc)
        page.goto("/sign-in")
        page.evaluate(
            """() => {
              document.querySelector("main").insertAdjacentHTML("beforeend",
                "<p class='bad'>faint</p><input><img src='http://127.0.0.2:9/x.png'><a onclick='alert(1)'>x</a>");
              const bad = document.querySelector(".bad");
              Object.assign(bad.style, { color: "#eee", background: "#fff", width: "500px" });
              console.error("noise");
            }"""
        )
        found = {each.partition(":")[0] for each in violations(page)}
        assert {"color-contrast", "label", "image-alt"} <= found
        assert {each.partition(":")[0] for each in violations(page, COLOR_RULES)} == {"color-contrast"}
        assert no_overflow(page) is not None
        assert {fault.split(": ", 1)[1].split(":")[0] for fault in watch.faults} >= {
            "asked another host",
            "console error",
        }
        context.close()
