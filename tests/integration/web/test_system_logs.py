"""The page of the application's log."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app.database import db
from app.models import SystemLog, User
from app.models.types import LogLevel
from app.services.system_log_handler import flush_logs
from tests.client import PageClient
from tests.conftest import SignIn


@pytest.fixture
def log(app: Flask) -> Callable[..., int]:
    """`log(message, ...)` stores a line and returns its id."""

    def add(message: str, **values: Any) -> int:
        with app.app_context():
            row = SystemLog(message=message, **{"component": "audit", "level": LogLevel.INFO, "details": {}, **values})
            db.session.add(row)
            db.session.commit()
            return row.id

    return add


@pytest.fixture
def reader(app: Flask, admin: User, sign_in: SignIn) -> Iterator[PageClient]:
    browser = sign_in(admin)
    yield browser
    flush_logs()


def messages(page: Any) -> list[str]:
    rows = page.all("th", scope="row")
    return [(row.text or "").strip() for row in rows]


class TestSystemLogsPage:
    def test_admins_read_it_newest_first(self, reader: PageClient, log: Callable[..., int]) -> None:
        log("First act")
        log("Second act")
        assert messages(reader.get_page("/system-logs?component=audit"))[:2] == ["Second act", "First act"]

    def test_clients_do_not(self, client1: User, sign_in: SignIn, log: Callable[..., int]) -> None:
        log("Only for admins")
        response = sign_in(client1).get("/system-logs")
        assert response.status_code == 403
        assert b"Only for admins" not in response.data

    @pytest.mark.parametrize(
        "query",
        [
            "q=the+CHOSEN",
            "component=chosen",
            "level=error",
            "user=77",
            "account=88",
            "request=req-99",
            "q=the&level=error",
        ],
    )
    def test_each_filter_narrows_it(self, reader: PageClient, log: Callable[..., int], query: str) -> None:
        log("the other")
        chosen = {
            "component": "chosen",
            "level": LogLevel.ERROR,
            "user_id": 77,
            "account_id": 88,
            "request_id": "req-99",
        }
        log("The chosen one", **chosen)
        page = reader.get_page(f"/system-logs?{query}")
        assert messages(page) == ["The chosen one"]

    def test_a_filter_can_be_taken_away(self, reader: PageClient, log: Callable[..., int]) -> None:
        log("Something", level=LogLevel.ERROR)
        page = reader.get_page("/system-logs?level=error&q=Some")
        removals = [link.get("href") for link in page.all("a") if "Remove filter" in link.get("aria-label", "")]
        assert removals == ["/system-logs?level=error", "/system-logs?q=Some"]

    def test_it_pages_both_ways_without_losing_or_repeating_a_line(
        self, reader: PageClient, log: Callable[..., int]
    ) -> None:
        expected = [f"line {n}" for n in range(120)]
        for message in expected:
            log(message, component="paged")
        seen, url = [], "/system-logs?component=paged"
        urls = [url]
        while url:
            page = reader.get_page(url)
            seen += messages(page)
            url = next((link.get("href") for link in page.all("a", rel="next")), "")
            urls.append(url)
        assert seen == expected[::-1]
        back = next(link.get("href") for link in page.all("a", rel="prev"))
        page = reader.get_page(back)
        assert messages(page) == expected[::-1][50:100]
        back = next(link.get("href") for link in page.all("a", rel="prev"))
        page = reader.get_page(back)
        assert messages(page) == expected[::-1][:50]
        assert not page.all("a", rel="prev")

    def test_details_and_exceptions_are_shown_folded(self, reader: PageClient, log: Callable[..., int]) -> None:
        log("It failed", details={"regions": 3, "exception": "Traceback\nValueError: é"})
        [folded] = reader.get_page("/system-logs?q=It+failed").all("pre")
        assert folded.text == '{\n  "regions": 3\n}\n\nTraceback\nValueError: é'

    def test_what_is_logged_is_text_never_markup(self, reader: PageClient, log: Callable[..., int]) -> None:
        evil = "<script>alert(1)</script>\x1b[2J"
        log(evil, component="x<blink>", details={"tag": evil, "exception": evil}, request_id="<i>")
        response = reader.get("/system-logs")
        assert b"<script>alert" not in response.data
        assert not reader.page.all("blink")

    def test_the_level_is_a_word(self, reader: PageClient, log: Callable[..., int]) -> None:
        log("Careful", level=LogLevel.WARNING)
        assert "warning" in reader.get("/system-logs?q=Careful").text

    def test_nothing_found_says_what_to_do(self, reader: PageClient) -> None:
        assert "No line fits these filters" in reader.get("/system-logs?q=nobody+ever+said+this").text

    def test_names_are_shown_where_the_rows_still_exist(
        self, reader: PageClient, log: Callable[..., int], client1: User, account1: Any
    ) -> None:
        log("By client1", user_id=client1.id, account_id=account1.id)
        log("By nobody any more", user_id=4711)
        text = reader.get("/system-logs").text
        assert ">client1</a>" in text
        assert ">Production</a>" in text
        assert ">4711</a>" in text

    @pytest.mark.parametrize(
        "query",
        [
            "user=x", "user=-1", "user=99999999999999999999", "account=1%00", "before=%F0%9F%98%80", "after=1e9",
            "level=nonsense", "q=%00", "q=%25", "q=%FF", "q=' OR 1=1 --", "component=%00", "request=%00",
        ],
    )  # fmt: skip
    def test_a_hostile_address_is_answered_calmly(
        self, reader: PageClient, log: Callable[..., int], query: str
    ) -> None:
        log("something")
        assert reader.get(f"/system-logs?{query}").status_code == 200

    def test_many_lines_take_as_many_queries_as_one(
        self, reader: PageClient, log: Callable[..., int], count_queries: Callable[[], Any]
    ) -> None:
        log("one")
        flush_logs()
        with count_queries() as few:
            reader.get("/system-logs?component=audit")
        for n in range(30):
            log(f"line {n}", component=f"audit{n % 7}")
        flush_logs()
        with count_queries() as many:
            reader.get("/system-logs")
        selects = [[s for s in found if "INSERT" not in s and "BEGIN" not in s] for found in (few, many)]
        assert len(selects[0]) == len(selects[1])
