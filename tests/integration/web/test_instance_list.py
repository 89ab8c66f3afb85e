"""The list of instances as a page: narrowing it, looking at it one's own way, authorizing all that it shows."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Instance, InstanceTag, SystemLog, User
from app.models.types import AuthStatus
from app.services.instances import authorize as authorizing
from app.services.instances.columns import COLUMNS
from tests.client import text_of
from tests.conftest import SignIn
from tests.factories import make_instance


@pytest.fixture
def fleet(app: Flask, account1: Account) -> list[int]:
    """Six of `client1`: web-0 to web-5, every second one unauthorized, the last two stopped."""
    with app.app_context():
        account = db.session.get_one(Account, account1.id)
        ids = []
        for number in range(6):
            instance = make_instance(
                account,
                name=f"web-{number}",
                auth_status=AuthStatus.UNAUTHORIZED if number % 2 else AuthStatus.AUTHORIZED,
                state="stopped" if number > 3 else "running",
                public_ip="52.0.0.1" if number == 0 else "",
                instance_metadata={"Imds": "optional" if number == 0 else "required", "Vcpus": 4},
            )
            db.session.add(InstanceTag(instance_pk=instance.id, key="team", value=f"team {number % 3}"))
            ids.append(instance.id)
        db.session.commit()
    return ids


def shown(page: Any) -> list[str]:
    return [text_of(cell) for cell in page.all("th", scope="row")]


class TestNarrowing:
    def test_words_in_the_search_box_become_chips_that_can_be_taken_away(
        self, sign_in: SignIn, client1: User, fleet: list[int]
    ) -> None:
        browser = sign_in(client1)
        page = browser.get_page("/instances?q=state:running+-auth:unauthorized+web")
        assert shown(page) == ["web-0", "web-2"]
        assert page.one("input", id="q").get("value") == "web"
        links = page.links()
        assert "State: running" in page.text
        assert "Authorization not: unauthorized" in page.text
        without = next(
            a.get("href", "") for a in page.all("a") if a.get("aria-label") == "Remove filter State: running"
        )
        assert shown(browser.get_page(without)) == ["web-0", "web-2", "web-4"]
        assert shown(browser.get_page(links["State: running"])) == ["web-4"], "turned round"
        assert shown(browser.get_page(links["Clear all"])) == [f"web-{number}" for number in range(6)]

    def test_what_cannot_be_read_says_why_and_lists_nothing(
        self, sign_in: SignIn, client1: User, fleet: list[int]
    ) -> None:
        page = sign_in(client1).get_page("/instances?state=running&q=color%3Ared")
        box = page.one("input", id="q")
        assert (box.get("value"), box.get("aria-invalid")) == ("color:red", "true")
        assert "color: is no filter" in text_of(page.one("p", id=box.get("aria-describedby", "")))
        assert shown(page) == []

    def test_the_values_of_a_facet_are_a_page_of_their_own(
        self, sign_in: SignIn, client1: User, fleet: list[int]
    ) -> None:
        browser = sign_in(client1)
        page = browser.get_page("/instances?tag=team%3Dteam+1")
        (address,) = [href for each in page.all("a") if "facet=state" in (href := each.get("href", ""))]
        page = browser.get_page(address)
        assert page.heading == "State"
        form = page.one("form", action="/instances")
        assert page.fields(form) == {"tag": "team=team 1"}
        assert "running 1" in text_of(form)
        assert "stopped 1" in text_of(form)
        part = browser.get("/instances/filters?facet=state", headers={"HX-Request": "true"})
        assert "<html" not in part.text
        assert "running" in part.text

    def test_all_facets_are_one_page_for_a_phone(self, sign_in: SignIn, client1: User, fleet: list[int]) -> None:
        page = sign_in(client1).get_page("/instances/filters?state=running&-type=t3.nano")
        legends = [text_of(each) for each in page.all("legend")]
        assert legends == ["Account", "Region", "State", "Lifecycle", "Authorization", "Type"]
        chosen = [(each.get("name"), each.get("value")) for each in page.all("input") if "checked" in each.attrib]
        assert chosen == [("state", "running"), ("-type", "t3.nano")]

    def test_nothing_found_offers_to_drop_each_filter(self, sign_in: SignIn, client1: User, fleet: list[int]) -> None:
        page = sign_in(client1).get_page("/instances?state=pending&auth_status=authorized")
        links = page.links()
        assert urlsplit(links["Without State: pending 3"]).query == "auth_status=authorized"
        assert urlsplit(links["Without Authorization: authorized 0"]).query == "state=pending"

    def test_sorting_keeps_the_filters_and_turns_round(self, sign_in: SignIn, client1: User, fleet: list[int]) -> None:
        browser = sign_in(client1)
        page = browser.get_page("/instances?state=running&sort=id")
        query = parse_qs(urlsplit(page.links()["Instance id"]).query)
        assert query == {"state": ["running"], "sort": ["-id"]}


class TestLooking:
    def test_chosen_columns_are_kept_in_the_browser(self, sign_in: SignIn, client1: User, fleet: list[int]) -> None:
        browser = sign_in(client1)
        form = {"column": ["name", "vcpus", "imds", "exposure", "console"], "tags": "team, none", "size": "25"}
        browser.get_page("/instances/display?state=running")
        answer = browser.submit("/instances/display", {**form, "density": "comfortable", "keys": "off"})
        assert answer.location == "/instances?state=running"
        page = browser.get_page("/instances")
        assert [text_of(each) for each in page.all("th", scope="col")] == [
            *("Name", "vCPUs", "Metadata service", "Exposure", "AWS console", "team", "none"),
        ]
        rows = [[text_of(cell) for cell in row] for row in page.all("tr")]
        assert rows[1] == ["web-0", "4", "v1 allowed", "public", "open", "team 0", ""]
        assert rows[2] == ["web-1", "4", "v2 required", "private", "open", "team 1", ""]
        table = page.one("table")
        assert "comfortable" in table.get("class", "")
        assert "data-keys" not in table.attrib
        assert page.links()["open"].startswith("https://us-east-1.console.aws.amazon.com/ec2/home?region=us-east-1#")
        # A link that somebody sends is not what one is used to.
        assert len(browser.get_page("/instances?column=name&column=id").all("th", scope="col")) == 2
        assert len(browser.get_page("/instances").all("th", scope="col")) == 7
        browser.submit("/instances/display", {"reset": "1"}, page="/instances/display")
        assert len(browser.get_page("/instances").all("th", scope="col")) == 9

    def test_every_column_can_be_shown_and_every_sort_followed(
        self, sign_in: SignIn, client1: User, fleet: list[int]
    ) -> None:
        browser = sign_in(client1)
        every = "&".join(f"column={name}" for name in COLUMNS)
        page = browser.get_page(f"/instances?{every}&column=tag:team")
        assert len(page.all("th", scope="col")) == len(COLUMNS) + 1
        for column in COLUMNS.values():
            if column.sort is not None:
                assert min(shown(browser.get_page(f"/instances?{every}&sort={column.name}"))) == "web-0"

    @pytest.mark.parametrize("cookie", ["", "column=zzz&size=9&density=x", "%00", "column=" + "x" * 3900, "=&&;"])
    def test_a_broken_cookie_is_the_default(
        self, sign_in: SignIn, client1: User, fleet: list[int], cookie: str
    ) -> None:
        browser = sign_in(client1)
        browser.set_cookie("instances", cookie)
        assert len(browser.get_page("/instances").all("th", scope="col")) == 9

    def test_pages_go_both_ways_and_to_the_first(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account, fleet: list[int]
    ) -> None:
        with app.app_context():
            account = db.session.get_one(Account, account1.id)
            for number in range(45):
                make_instance(account, name=f"x-{number:02}")
            db.session.commit()
        browser = sign_in(client1)
        browser.send("/instances/display", {"size": "25"})
        first = browser.get_page("/instances")
        second = browser.get_page(first.links()["Next"])
        third = browser.get_page(second.links()["Next"])
        assert [len(shown(page)) for page in (first, second, third)] == [25, 25, 1]
        assert shown(browser.get_page(third.links()["Previous"])) == shown(second)
        assert shown(browser.get_page(third.links()["First page"])) == shown(first)
        assert "First page" not in first.links()


class TestAuthorizingAllThatMatch:
    def statuses(self, app: Flask, ids: list[int]) -> list[str]:
        with app.app_context():
            return [db.session.get_one(Instance, each).auth_status.value[:2] for each in ids]

    def test_it_says_how_many_and_does_it_with_a_reason(
        self, app: Flask, sign_in: SignIn, admin: User, fleet: list[int]
    ) -> None:
        browser = sign_in(admin)
        browser.get_page("/instances?state=running")
        page = browser.get_page(browser.page.links()["All that match…"])
        assert "Authorizing changes 2 of them, unauthorizing 2" in page.text
        answer = browser.submit("/instances/authorize/matching", {"auth_status": "authorized", "reason": "ours"})
        assert answer.location == "/instances?state=running"
        assert self.statuses(app, fleet) == ["au", "au", "au", "au", "au", "un"]
        assert "2 instances are now authorized" in browser.get_page("/instances").text
        with app.app_context():
            log = db.session.scalars(sa.select(SystemLog).where(SystemLog.component == "audit")).one()
            assert (log.details["list"], log.details["reason"]) == ({"state": ["running"]}, "ours")

    def test_one_click_takes_it_back(self, app: Flask, sign_in: SignIn, admin: User, fleet: list[int]) -> None:
        browser = sign_in(admin)
        form = {"auth_status": "unauthorized", "reason": "closing"}
        browser.get_page("/instances/authorize/matching")
        browser.submit("/instances/authorize/matching", form)
        assert self.statuses(app, fleet) == ["un"] * 6
        browser.submit("/instances/authorize/undo", page="/instances")
        assert self.statuses(app, fleet) == ["au", "un"] * 3

    def test_a_large_list_goes_on_in_steps_that_are_undone_as_one(
        self, app: Flask, sign_in: SignIn, admin: User, fleet: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authorizing, "MAX_STEP", 2)
        browser = sign_in(admin)
        browser.get_page("/instances/authorize/matching?q=web")
        browser.submit("/instances/authorize/matching", {"auth_status": "authorized", "reason": "ours"})
        assert "2 instances are authorized, 1 to go" in browser.page.text
        answer = browser.submit("/instances/authorize/matching", {"auth_status": "authorized"})
        assert answer.location == "/instances?q=web"
        assert self.statuses(app, fleet) == ["au"] * 6
        with app.app_context():
            marks = set(db.session.scalars(sa.select(Instance.auth_changed_at).where(Instance.auth_reason == "ours")))
            assert len(marks) == 1
        browser.submit("/instances/authorize/undo", page="/instances")
        assert "There is more to undo" in browser.get_page("/instances").text
        browser.submit("/instances/authorize/undo")
        assert self.statuses(app, fleet) == ["au", "un"] * 3

    def test_a_search_that_cannot_be_read_changes_nothing(
        self, app: Flask, sign_in: SignIn, admin: User, fleet: list[int]
    ) -> None:
        browser = sign_in(admin)
        assert "The search cannot be read" in browser.get_page("/instances/authorize/matching?q=color:red").text
        form = {"list": "q=color%3Ared", "auth_status": "authorized", "reason": "x"}
        assert browser.send("/instances/authorize/matching", form).status_code == 422
        assert self.statuses(app, fleet) == ["au", "un"] * 3

    def test_without_a_reason_it_asks_for_one_and_keeps_the_list(
        self, sign_in: SignIn, admin: User, fleet: list[int]
    ) -> None:
        browser = sign_in(admin)
        browser.get_page("/instances/authorize/matching?state=running")
        answer = browser.submit("/instances/authorize/matching", {"auth_status": "authorized", "reason": " "})
        assert answer.status_code == 422
        assert "Say why" in browser.page.text
        assert "State: running" in browser.page.text
