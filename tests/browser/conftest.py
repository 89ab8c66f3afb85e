"""A real Chromium in front of a real server: one browser a process, one server a journey, one seeded for all pages.

The application answers from a thread on a loopback port; jobs are done where the test says so (`site.run_jobs()`),
so that a test sees every step that a person could see.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from app.aws.identity import CallerIdentity
from app.database import db
from app.models import User
from app.services.identity import record_identity
from app.services.sessions import start_session
from tests.fakes.aws import APP_ACCOUNT
from tests.jobs import run_jobs

CHROMIUM = os.environ.get("TEST_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--mute-audio",
]
#: How long a browser may take over anything: a busy machine is no fault of a page.
TIMEOUT_SECONDS = 40
expect.set_options(timeout=TIMEOUT_SECONDS * 1000)

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}

#: A page that is sent back with 422 is shown, and Chromium calls it a resource that failed to load.
SENT_BACK = "Failed to load resource: the server responded with a status of 422"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)


# --- the browser -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip(f"Chromium is not at {CHROMIUM} (TEST_CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watch:
    """What a page must never do, noted as it happens."""

    def __init__(self, page: Page, host: str) -> None:
        self.host = host
        self.faults: list[str] = []
        self.expected: tuple[str, ...] = (SENT_BACK,)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: script error: {error}"))
        page.on("request", self._request)
        page.on("dialog", self._dialog)
        self.page = page

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(self.expected):
            self.faults.append(f"{self.page.url}: console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.netloc != self.host:
            self.faults.append(f"{self.page.url}: asked another host: {request.url}")

    def _dialog(self, dialog: Any) -> None:
        self.faults.append(f"{self.page.url}: a dialog: {dialog.message}")
        dialog.dismiss()


# --- the server --------------------------------------------------------------------------------------------


class Quiet(WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        """Not among the test's output."""


class Site:
    """A running application."""

    def __init__(self, app: Flask, url: str) -> None:
        self.app, self.url = app, url

    def run_jobs(self, *, limit: int = 20) -> int:
        """Do what is queued; with `limit=1` one job only, so that what it queues in turn waits."""
        return run_jobs(self.app, limit=limit)


def know_identity(app: Flask) -> None:
    """The installation knows who it is in AWS, as after a worker's first minute."""
    with app.app_context():
        record_identity(CallerIdentity(APP_ACCOUNT, f"arn:aws:iam::{APP_ACCOUNT}:user/spotkeeper", "aws", "AIDAX"))
        db.session.commit()


@contextmanager
def serving(app: Flask) -> Iterator[Site]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Site(app, f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site(app: Flask) -> Iterator[Site]:
    """A server of this test's own, on an empty database, which knows who it is in AWS."""
    know_identity(app)
    with serving(app) as running:
        yield running


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, site: Site) -> Iterator[OpenPage]:
    """`open_page(as_=client1)` -> a page of a fresh browser, watched; `context` options are Playwright's.

    At the end of the test nothing may have gone wrong on any of them.
    """
    contexts: list[BrowserContext] = []
    watches: list[Watch] = []

    def opening(*, as_: User | None = None, viewport: dict[str, int] = WIDE, **options: Any) -> Page:
        context = new_context(chromium, site, viewport=viewport, **options)
        contexts.append(context)
        if as_ is not None:
            give_session(context, site, as_)
        page = context.new_page()
        watches.append(Watch(page, urlsplit(site.url).netloc))
        return page

    yield opening
    faults = [fault for watch in watches for fault in watch.faults]
    for context in contexts:
        context.close()
    assert faults == []


def new_context(browser: Browser, site: Site, **options: Any) -> BrowserContext:
    context = browser.new_context(base_url=site.url, reduced_motion="reduce", locale="en-GB", **options)
    context.set_default_timeout(TIMEOUT_SECONDS * 1000)
    return context


def give_session(context: BrowserContext, site: Site, user: User) -> None:
    """Be signed in without typing it: the journeys of signing in do that."""
    with site.app.app_context():
        _, token = start_session(user, lifetime_seconds=3600, ip_address="127.0.0.1", user_agent="tests")
        db.session.commit()
    client = site.app.test_client()
    with client.session_transaction() as cookie:
        cookie.update({"_user_id": str(user.id), "_fresh": True, "token": token})
    name = site.app.config["SESSION_COOKIE_NAME"]
    found = client.get_cookie(name)
    assert found is not None
    context.add_cookies([{"name": name, "value": found.value, "url": site.url}])


def no_overflow(page: Page) -> str | None:
    """None, or what sticks out of the page, or of its panel (which cuts it off), to the right."""
    found: str | None = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          const right = (element) => Math.round(element.getBoundingClientRect().right);
          const named = (elements) => elements.slice(-3)
            .map((e) => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 40)}`).join(", ");
          const visible = [...document.querySelectorAll("main *")].filter((e) => e.checkVisibility());
          const kept = "pre, .truncate, .scroll.is-wide, .visually-hidden, caption, thead, option";
          const cut = visible.filter((e) => !e.closest(kept)
            && e.closest(".panel, .notice") && right(e) > right(e.closest(".panel, .notice")) + 1);
          if (cut.length) return `cut off: ${named(cut)}`;
          if (document.documentElement.scrollWidth <= width) return null;
          return named(visible.filter((e) => right(e) > width + 1)) || "something";
        }"""
    )
    return found
