"""One instance at two moments."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask

from app.database import db, first_id_at
from app.models import Account, InstanceChange, User
from app.models.mixins import utc_now
from app.models.types import ChangeKind
from tests.client import Page, text_of
from tests.conftest import SignIn
from tests.factories import make_instance

NOON = (utc_now() - timedelta(days=10)).replace(hour=12, minute=0, second=0, microsecond=0)
HOURS = timedelta(hours=1)

#: (hour, field, before, after): what discoveries saw, one an hour.
HISTORY = (
    (1, "instance_type", "m5.large", "m5.xlarge"),
    (2, "Tags", {"team": "web"}, {"team": "data", "new": ""}),
    (3, "SecurityGroupIds", ["sg-1"], ["sg-1", "sg-2"]),
    (4, "Imds", "required", "optional"),
)


@pytest.fixture
def instance_pk(app: Flask, account1: Account) -> int:
    with app.app_context():
        instance = make_instance(
            db.session.get_one(Account, account1.id),
            first_seen_at=NOON,
            instance_type="m5.xlarge",
            instance_metadata={
                "Tags": {"team": "data", "new": "", "Name": "x"},
                "SecurityGroupIds": ["sg-1", "sg-2"],
                "Imds": "optional",
            },
        )
        for hour, field, before, after in HISTORY:
            about = {"account_id": instance.account_id, "instance_pk": instance.id, "kind": ChangeKind.CHANGED}
            seen_at = NOON + hour * HOURS
            told = {"id": first_id_at(seen_at), "field": field, "before": before, "after": after}
            db.session.add(InstanceChange(**about, **told, seen_at=seen_at))
        db.session.commit()
        return instance.id


def address(instance_pk: int, first: float, second: float) -> str:
    one, other = ((NOON + hours * HOURS).strftime("%Y-%m-%dT%H:%M:%SZ") for hours in (first, second))
    return f"/instances/{instance_pk}/compare?from={one}&to={other}"


def told(page: Page) -> list[tuple[str, str, str]]:
    """The rows of the table of what differs."""
    tables = [table for table in page.all("table") if text_of(table).startswith("What differs")]
    rows = tables[0].findall("./tbody/tr") if tables else []
    return [tuple(text_of(cell) for cell in row) for row in rows]  # type: ignore[misc]  # rows have three cells


class TestComparing:
    @pytest.mark.parametrize(
        ("first", "second", "lines"),
        [
            (0, 1, [("Type", "m5.large", "m5.xlarge")]),
            (1, 2, [("Tag new", "none", "“”"), ("Tag team", "“web”", "“data”")]),
            (2.5, 3.5, [("Security group", "sg-1", "sg-1, sg-2")]),
            (3, 5, [("Instance metadata", "IMDSv2 only", "IMDSv1 allowed")]),
            (5, 3, [("Instance metadata", "IMDSv2 only", "IMDSv1 allowed")]),
            (4, 9, []),
            (2, 2, []),
        ],
    )
    def test_what_differs_stands_side_by_side(
        self, sign_in: SignIn, client1: User, instance_pk: int, first: float, second: float, lines: Any
    ) -> None:
        assert told(sign_in(client1).get_page(address(instance_pk, first, second))) == lines

    def test_before_it_was_first_seen_nothing_is_known(self, sign_in: SignIn, client1: User, instance_pk: int) -> None:
        browser = sign_in(client1)
        assert ("Type", "not known", "m5.xlarge") in told(browser.get_page(address(instance_pk, -1, 5)))
        assert "at neither moment was anything known" in browser.get_page(address(instance_pk, -2, -1)).text

    def test_without_moments_it_is_all_of_its_history(self, sign_in: SignIn, client1: User, instance_pk: int) -> None:
        page = sign_in(client1).get_page(f"/instances/{instance_pk}/compare")
        assert len(told(page)) == 5
        assert "History does not tell of its architecture" in page.text

    def test_times_are_the_viewer_s_own(self, app: Flask, sign_in: SignIn, client1: User, instance_pk: int) -> None:
        with app.app_context():
            db.session.get_one(User, client1.id).time_zone = "Asia/Tokyo"
            db.session.commit()
        local = NOON + 9 * HOURS
        page = sign_in(client1).get_page(
            f"/instances/{instance_pk}/compare?from={local:%Y-%m-%dT%H:%M}&to={local + HOURS:%Y-%m-%dT%H:%M}"
        )
        assert told(page) == [("Type", "m5.large", "m5.xlarge")]
        assert page.one("input", name="from").get("value") == f"{local:%Y-%m-%dT%H:%M:%S}"

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ("never", "Write a date and a time"),
            ("0001-01-01T00:00%2B14:00", "Write a date and a time"),
            ("2001-01-01", "History is kept for 400 days"),
            (f"{datetime.now(UTC).year + 2}-01-01", "yet to come"),
        ],
    )
    def test_a_moment_that_cannot_be_is_said_beside_its_field(
        self, sign_in: SignIn, client1: User, instance_pk: int, asked: str, words: str
    ) -> None:
        page = sign_in(client1).get_page(f"/instances/{instance_pk}/compare?to={asked}")
        assert words in text_of(page.one("p", id="moment-to-error"))
        assert (page.one("input", name="to").get("value") or "").startswith(unquote(asked)[:10])
        assert told(page) == []

    def test_two_moments_of_the_timeline_are_compared_to_the_microsecond(
        self, app: Flask, sign_in: SignIn, client1: User, instance_pk: int
    ) -> None:
        browser = sign_in(client1)
        page = browser.get_page(f"/instances/{instance_pk}")
        first = [radio.get("value") for radio in page.all("input", type="radio", name="from")]
        second = [
            radio.get("value") for radio in page.all("input", type="radio", name="to") if "checked" in radio.attrib
        ]
        answer = browser.get(f"/instances/{instance_pk}/compare", query_string={"from": first[-1], "to": second[0]})
        assert answer.status_code == 200
        assert [label for label, *_ in told(browser.page)] == [
            "Instance metadata",
            "Security group",
            "Tag new",
            "Tag team",
        ]

    def test_somebody_else_s_is_not_there(self, sign_in: SignIn, client2: User, instance_pk: int) -> None:
        assert sign_in(client2).get(f"/instances/{instance_pk}/compare").status_code == 404
