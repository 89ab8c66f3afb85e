"""The page of the application's log."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from app.database import db, first_id_at
from app.models import Account, SystemLog, User
from app.models.mixins import utc_now
from app.models.types import LogLevel
from app.services.system_log_handler import flush_logs
from tests.client import PageClient
from tests.conftest import SignIn

ON_THAT_DAY = datetime(2026, 2, 3, 10, tzinfo=UTC)


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
            "level=problems",
            "from=2026-02-03T10:00&to=2026-02-03T11:00",
            "from=2026-02-03T10:00:00Z&to=2026-02-03T10:00:01Z",
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
            "logged_at": ON_THAT_DAY,
            "id": first_id_at(ON_THAT_DAY),
        }
        log("The chosen one", **chosen)
        page = reader.get_page(f"/system-logs?{query}")
        assert messages(page) == ["The chosen one"]

    def test_people_and_accounts_are_found_by_what_they_are_called(
        self, reader: PageClient, log: Callable[..., int], client1: User, account1: Account
    ) -> None:
        log("By client1", user_id=client1.id)
        log("About the account", account_id=account1.id)
        assert messages(reader.get_page("/system-logs?user=Client1")) == ["By client1"]
        assert messages(reader.get_page(f"/system-logs?account={account1.account_id}")) == ["About the account"]
        assert messages(reader.get_page("/system-logs?account=999999999999")) == []

    def test_a_period_ends_now(self, reader: PageClient, log: Callable[..., int]) -> None:
        for hours in (0, 2, 30):
            at = utc_now() - timedelta(hours=hours)
            log(f"{hours} hours ago", logged_at=at, id=first_id_at(at), component="aged")
        found = {
            period: messages(reader.get_page(f"/system-logs?component=aged&period={period}"))
            for period in ("hour", "day", "week")
        }
        assert [len(lines) for lines in found.values()] == [1, 2, 3]

    def test_times_are_meant_in_the_reader_s_zone(
        self, app: Flask, reader: PageClient, log: Callable[..., int], admin: User
    ) -> None:
        log("At ten in London", logged_at=ON_THAT_DAY, id=first_id_at(ON_THAT_DAY))
        with app.app_context():
            db.session.get_one(User, admin.id).time_zone = "Asia/Kolkata"
            db.session.commit()
        assert messages(reader.get_page("/system-logs?from=2026-02-03T15:30&to=2026-02-03T15:31"))
        assert "2026-02-03 15:30:00.000" in reader.page.text
        assert not messages(reader.get_page("/system-logs?from=2026-02-03T10:00&to=2026-02-03T10:01"))

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
            "from=yesterday", "from=0001-01-01T00:00", "to=9999-12-31T23:59", "to=2026-02-30T00:00", "period=aeon",
            "follow=1&user=x", "account=abcdefghijkl", "account=%F0%9F%98%80",
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


class TestFollowing:
    def follow(self, page: Any) -> str:
        return str(page.one("div", id="follow").get("hx-get"))

    def test_a_look_brings_what_is_new_and_nothing_twice(self, reader: PageClient, log: Callable[..., int]) -> None:
        # Old enough to be settled.
        at = utc_now() - timedelta(minutes=1)

        def add(message: str, seconds: int, component: str = "told") -> None:
            moment = at + timedelta(seconds=seconds)
            log(message, component=component, logged_at=moment, id=first_id_at(moment))

        add("before", 0)
        page = reader.get_page("/system-logs?component=told&follow=1")
        assert messages(page) == ["before"]
        add("second", 2)
        add("first", 1)
        add("somebody else's", 3, component="other")
        reader.get(self.follow(page))
        assert messages(reader.page) == ["second", "first"]
        assert "afterbegin:#log-lines" in reader.page.html
        again = self.follow(reader.page)
        reader.get(again)
        assert messages(reader.page) == []
        add("third", 4)
        reader.get(self.follow(reader.page))
        assert messages(reader.page) == ["third"]

    def test_what_is_not_settled_comes_with_a_later_look(self, reader: PageClient, log: Callable[..., int]) -> None:
        page = reader.get_page("/system-logs?component=told&follow=1")
        # Its id is of a moment that another process may still be writing lines of.
        log("just now", component="told", id=first_id_at(utc_now() + timedelta(seconds=30)))
        reader.get(self.follow(page))
        assert messages(reader.page) == []

    def test_it_ends_by_itself_and_can_be_gone_on_with(self, reader: PageClient) -> None:
        reader.get("/system-logs/newer?component=told&after=1&left=1")
        assert reader.page.one("div", id="follow").get("hx-get") is None
        assert reader.page.links()["Go on"] == "/system-logs?component=told&follow=1"
        reader.get("/system-logs/newer?component=told&after=1&left=99999999")
        assert "left=599" in self.follow(reader.page)

    def test_without_a_script_newer_lines_are_a_link_away(self, reader: PageClient, log: Callable[..., int]) -> None:
        log("old", component="told")
        newer = reader.get_page("/system-logs?component=told").links()["Newer lines"]
        assert "Nothing on this side" in reader.get_page(newer).text
        log("new", component="told")
        assert messages(reader.get_page(newer)) == ["new"]


class TestExport:
    def test_it_is_what_is_filtered_one_object_a_line_the_oldest_first(
        self, reader: PageClient, log: Callable[..., int], client1: User
    ) -> None:
        evil = '=1+1\n{"level": "error"}\u2028'
        log("other")
        for number in range(3):
            log(
                f"{number} {evil}",
                component="told",
                details={"exception": "Traceback", "n": number},
                user_id=client1.id,
            )
        reader.get_page("/system-logs?component=told")
        response = reader.submit("/system-logs/export")
        assert response.mimetype == "application/x-ndjson"
        assert "attachment" in response.headers["Content-Disposition"]
        lines = [json.loads(line) for line in response.text.splitlines()]
        assert [line["message"] for line in lines] == [f"{number} {evil}" for number in range(3)]
        assert lines[2] | {"time": ""} == {
            "time": "",
            "level": "info",
            "component": "told",
            "message": f"2 {evil}",
            "user_id": client1.id,
            "details": {"n": 2},
            "exception": "Traceback",
        }

    def test_many_batches_lose_and_double_nothing(
        self, reader: PageClient, log: Callable[..., int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.log_search.EXPORT_BATCH", 4)
        for number in range(11):
            log(str(number), component="told")
        reader.get_page("/system-logs?component=told")
        lines = reader.submit("/system-logs/export").text.splitlines()
        assert [json.loads(line)["message"] for line in lines] == [str(number) for number in range(11)]

    def test_that_it_was_taken_is_in_the_log(self, reader: PageClient, admin: User) -> None:
        reader.get_page("/system-logs?level=error")
        reader.submit("/system-logs/export")
        page = reader.get_page(f"/system-logs?component=audit&user={admin.id}")
        assert "log lines exported" in messages(page)
        assert '"level": "error"' in page.text


class TestErrorPages:
    def test_admins_are_led_from_an_error_to_its_lines(
        self, reader: PageClient, client1: User, sign_in: SignIn
    ) -> None:
        response = reader.get("/nothing/here")
        request_id = response.headers["X-Request-ID"]
        assert reader.page.links()["its lines in the system logs"] == f"/system-logs?request={request_id}"
        mine = sign_in(client1)
        mine.get("/nothing/here")
        assert "its lines in the system logs" not in mine.page.links()
        assert "quote it" in mine.page.text
