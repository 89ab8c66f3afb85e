"""What pages tell of runs: under way, waiting, over; one and all of an account's; and stopping one."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import FaultCode
from app.models import Account, InstanceChange, Run, SystemLog, User
from app.models.mixins import utc_now
from app.models.types import ChangeKind, RunKind, RunState
from app.services import runs
from app.web.filters import NOTHING
from tests.client import Page, PageClient, text_of
from tests.conftest import SignIn
from tests.factories import make_instance

SUMMARY = {
    "regions_enabled": 17,
    "regions_read": 16,
    "instances_seen": 1234,
    "instances_added": 5,
    "instances_changed": 6,
    "instances_vanished": 7,
    "unread": {"eu-south-1": "throttled"},
    "calls": 40,
}


@pytest.fixture
def owner(client1: User, sign_in: SignIn) -> PageClient:
    return sign_in(client1)


def run_of(app: Flask, account: Account, **values: Any) -> int:
    """A run in whatever state; a running one holds its lease."""
    state = values.setdefault("state", RunState.SUCCEEDED)
    now = utc_now()
    if state is RunState.RUNNING:
        values = {"token": "t", "lease_until": now + timedelta(minutes=1), "started_at": now, "attempt": 1, **values}
    if not state.is_over:
        values.setdefault("active_key", f"{values.get('kind', RunKind.DISCOVER_ACCOUNT).value}:{account.id}")
    with app.app_context():
        run = Run(**{"kind": RunKind.DISCOVER_ACCOUNT, "account_id": account.id, "due_at": now, **values})
        db.session.add(run)
        db.session.commit()
        return run.id


def path(account: Account, *rest: object) -> str:
    return "/".join(["", "accounts", str(account.id), *map(str, rest)])


def figures(page: Page) -> dict[str, str]:
    """The first strip of figures."""
    strip = page.all("dl", class_="figures")[0]
    return {text_of(pair.find("dt")): text_of(pair.find("dd")) for pair in strip}


def state_of(app: Flask, run_id: int) -> RunState:
    with app.app_context():
        return db.session.get_one(Run, run_id).state


class TestWhileItRuns:
    def test_the_panel_shows_how_far_it_is(self, app: Flask, account1: Account, owner: PageClient) -> None:
        progress = {"progress_done": 9, "progress_total": 17, "progress_text": "1,234 instances seen"}
        run_of(app, account1, state=RunState.RUNNING, summary=SUMMARY, **progress)
        page = owner.get_page(path(account1))
        bar = page.one("progress")
        assert (bar.get("value"), bar.get("max"), bar.get("aria-label")) == ("9", "17", "9 of 17 regions")
        assert figures(page) == {"Instances seen": "1,234", "New": "5", "Changed": "6", "Vanished": "7"}
        trouble = page.one("ul", aria_label="Regions with trouble")
        assert text_of(trouble) == "not read eu-south-1 AWS asked us to slow down"
        assert "attempt" not in text_of(page.one("section", class_="run"))

    def test_before_the_regions_are_known_it_has_no_end(self, app: Flask, account1: Account, owner: PageClient) -> None:
        run_of(app, account1, state=RunState.RUNNING, progress_text="Signing in to the account")
        bar = owner.get_page(path(account1)).one("progress")
        assert (bar.get("value"), bar.get("aria-label")) == (None, "Signing in to the account")

    def test_another_attempt_is_told(self, app: Flask, account1: Account, owner: PageClient) -> None:
        run_of(app, account1, state=RunState.RUNNING, attempt=2)
        assert "attempt 2 of 5" in owner.get_page(path(account1)).text

    @pytest.mark.parametrize(
        ("done", "words"),
        [
            (0, "Discovery is running"),
            (4, "Discovery is running"),
            (5, "Discovery is running, a quarter of the regions done"),
            (8, "Discovery is running, a quarter of the regions done"),
            (9, "Discovery is running, half of the regions done"),
            (16, "Discovery is running, three quarters of the regions done"),
            (17, "Discovery is running, all regions done"),
        ],
    )
    def test_what_is_read_out_changes_a_few_times_a_run(
        self, app: Flask, account1: Account, owner: PageClient, done: int, words: str
    ) -> None:
        run_of(app, account1, state=RunState.RUNNING, progress_done=done, progress_total=17)
        assert owner.get_page(path(account1, "progress")).one("div", id="account").get("data-announce") == words

    def test_the_end_is_read_out_with_what_was_found(self, app: Flask, account1: Account, owner: PageClient) -> None:
        run_of(app, account1, summary=SUMMARY)
        words = owner.get_page(path(account1, "progress")).one("div", id="account").get("data-announce", "")
        assert " ".join(words.split()) == (
            "Discovery done: 16 of 17 regions, 1,234 instances (5 new, 6 changed, 7 vanished)"
        )


class TestWhileItWaits:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({}, "Discovery is waiting for a worker"),
            ({"due_at": timedelta(minutes=20)}, "Discovery begins later"),
            (
                {"due_at": timedelta(minutes=20), "progress_text": "Waits for the budget of calls: 2,000 of 2,000"},
                "Waits for the budget of calls: 2,000 of 2,000",
            ),
            (
                {"due_at": timedelta(seconds=20), "progress_text": "Something went wrong; trying again", "attempt": 3},
                "3 attempts of 5 so far.",
            ),
            ({"created_at": timedelta(minutes=-5)}, "Every worker is busy, or none is running."),
        ],
    )
    def test_it_says_what_for(
        self, app: Flask, account1: Account, owner: PageClient, values: dict[str, Any], words: str
    ) -> None:
        moments = {name: utc_now() + value for name, value in values.items() if isinstance(value, timedelta)}
        run_of(app, account1, **{"state": RunState.QUEUED, **values, **moments})
        panel = text_of(owner.get_page(path(account1)).one("section", class_="run"))
        assert words in panel
        assert "Cancel" in panel

    def test_a_running_one_is_shown_before_one_that_waits(
        self, app: Flask, account1: Account, owner: PageClient
    ) -> None:
        run_of(app, account1, state=RunState.QUEUED)
        run_of(app, account1, state=RunState.RUNNING, kind=RunKind.VERIFY_ACCOUNT)
        assert "Verification is running" in owner.get_page(path(account1)).text


class TestCanceling:
    @pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
    def test_the_owner_and_an_admin_may(
        self, app: Flask, account1: Account, owner: PageClient, admin: User, sign_in: SignIn, state: RunState
    ) -> None:
        for client in (owner, sign_in(admin)):
            run_id = run_of(app, account1, state=state)
            answer = client.submit(path(account1, "runs", run_id, "cancel"), page=path(account1))
            assert (answer.status_code, answer.headers["Location"]) == (303, path(account1))
            assert "What was read until then stays" in client.get_page(path(account1)).text
            assert state_of(app, run_id) is RunState.CANCELED
            with app.app_context():
                row = db.session.scalars(sa.select(SystemLog).order_by(SystemLog.id.desc())).first()
                assert row is not None
                assert (row.component, row.message) == ("audit", "discover_account of 111111111111 canceled")
                assert row.details["run_id"] == run_id

    def test_what_is_over_stays_as_it_ended(self, app: Flask, account1: Account, owner: PageClient) -> None:
        run_id = run_of(app, account1, state=RunState.SUCCEEDED)
        assert owner.send(path(account1, "runs", run_id, "cancel")).status_code == 303
        assert "It was over already" in owner.get_page(path(account1)).text
        assert state_of(app, run_id) is RunState.SUCCEEDED

    def test_the_worker_s_lease_is_taken_away(self, app: Flask, account1: Account, owner: PageClient) -> None:
        with app.app_context():
            run_id = runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, account1.id)).id
            db.session.commit()
            lease = runs.claim(run_id, "tests")
        assert lease is not None
        owner.send(path(account1, "runs", run_id, "cancel"))
        assert lease.is_canceled()


class TestSomebodyElsesRuns:
    def test_they_are_not_there_under_any_account(
        self, app: Flask, account1: Account, account2: Account, owner: PageClient
    ) -> None:
        theirs = run_of(app, account2, state=RunState.QUEUED)
        for account in (account1, account2):
            assert owner.get(path(account, "runs", theirs)).status_code == 404
            assert owner.send(path(account, "runs", theirs, "cancel")).status_code == 404
        assert owner.get(path(account2, "runs")).status_code == 404
        assert state_of(app, theirs) is RunState.QUEUED

    def test_nor_does_an_admin_find_a_run_under_another_account(
        self, app: Flask, account1: Account, account2: Account, admin: User, sign_in: SignIn
    ) -> None:
        run_id = run_of(app, account2)
        assert sign_in(admin).get(path(account1, "runs", run_id)).status_code == 404
        assert sign_in(admin).get(path(account2, "runs", run_id)).status_code == 200

    def test_an_id_that_no_database_holds_is_not_there(self, account1: Account, owner: PageClient) -> None:
        assert owner.get(path(account1, "runs", "9" * 30)).status_code == 404


class TestTheHistoryOfRuns:
    def test_it_tells_what_each_took_and_found(
        self, app: Flask, account1: Account, client1: User, owner: PageClient
    ) -> None:
        asked = utc_now() - timedelta(hours=1)
        times = {"created_at": asked, "started_at": asked + timedelta(seconds=30)}
        ended = asked + timedelta(seconds=222)
        run_of(app, account1, summary=SUMMARY, requested_by_id=client1.id, finished_at=ended, **times)
        run_of(app, account1, state=RunState.FAILED, error_code=FaultCode.UNREACHABLE, kind=RunKind.VERIFY_ACCOUNT)
        page = owner.get_page(path(account1, "runs"))
        failed, found = ([text_of(cell) for cell in row] for row in page.all("tr")[1:])
        assert found[:2] == ["Discovery", "partial"]
        *rest, trouble = found[3:]
        assert rest == ["client1", "30 s", "3 min 12 s", "16 of 17", "1,234", "5", "6", "7", "40"]
        assert trouble == "1 region not read"
        assert failed[:2] == ["Verification", "failed"]
        assert (failed[3], failed[-1]) == ("schedule", "AWS could not be reached")

    def test_it_comes_in_pages(self, app: Flask, account1: Account, owner: PageClient) -> None:
        for _ in range(51):
            run_of(app, account1)
        page = owner.get_page(path(account1, "runs"))
        assert len(page.all("tr")) == 51
        page = owner.get_page(page.links()["Next"])
        assert len(page.all("tr")) == 2
        assert len(owner.get_page(page.links()["Previous"]).all("tr")) == 51
        account_page = owner.get_page(path(account1))
        assert account_page.links()["All 51 runs"] == path(account1, "runs")

    @pytest.mark.parametrize(
        "cursor", ["x", "W10", "WzAsImlkIiwiLTEiLDFd", "WzAsImlkIiwiOTk5OTk5OTk5OTk5OTk5OTk5OTk5OSIsMV0"]
    )
    def test_a_made_up_cursor_is_refused(self, account1: Account, owner: PageClient, cursor: str) -> None:
        assert owner.get(path(account1, "runs") + f"?cursor={cursor}").status_code == 400

    def test_it_asks_as_often_for_thirty_as_for_one(
        self, app: Flask, account1: Account, owner: PageClient, count_queries: Callable[[], Any]
    ) -> None:
        counts = []
        for more in (1, 29):
            for _ in range(more):
                run_of(app, account1, summary=SUMMARY)
            for page in ("runs", ""):
                with count_queries() as statements:
                    owner.get_page(path(account1, page).rstrip("/"))
                counts.append(len(statements))
        assert counts[:2] == counts[2:]

    def test_without_any_it_says_what_will_stand_there(self, account1: Account, owner: PageClient) -> None:
        assert "Nothing has run yet" in owner.get_page(path(account1, "runs")).text


class TestOneRun:
    def test_it_tells_what_it_could_not_read_and_what_it_found(
        self, app: Flask, account1: Account, owner: PageClient
    ) -> None:
        run_id = run_of(app, account1, summary=SUMMARY, started_at=utc_now(), finished_at=utc_now(), attempt=2)
        with app.app_context():
            instance = make_instance(db.session.get_one(Account, account1.id), name="<b>web</b>")
            change = {"field": "Tags", "before": {"team": "web"}, "after": {"team": "<script>alert(1)</script>"}}
            db.session.add(
                InstanceChange(
                    account_id=account1.id,
                    instance_pk=instance.id,
                    kind=ChangeKind.CHANGED,
                    seen_at=utc_now(),
                    run_id=run_id,
                    **change,
                )
            )
            db.session.commit()
            instance_pk = instance.id
        page = owner.get_page(path(account1, "runs", run_id))
        assert figures(page)["Regions read"] == "16 of 17"
        assert figures(page)["Calls to AWS"] == "40"
        assert "eu-south-1 AWS asked us to slow down" in page.text
        assert page.links()["<b>web</b>"] == f"/instances/{instance_pk}"
        assert "Tag team: from “web” → to “<script>alert(1)</script>”" in page.text
        assert "1 change" in page.text

    def test_a_failed_one_says_why_and_what_to_do(self, app: Flask, account1: Account, owner: PageClient) -> None:
        run_id = run_of(
            app, account1, state=RunState.FAILED, error_code=FaultCode.CLOCK_SKEW, error_message="off by 400 s"
        )
        text = owner.get_page(path(account1, "runs", run_id)).text
        assert "This installation's clock is wrong" in text
        assert "off by 400 s" in text

    @pytest.mark.parametrize("state", list(RunState))
    @pytest.mark.parametrize("kind", list(RunKind))
    def test_every_kind_in_every_state_is_a_page(
        self, app: Flask, account1: Account, owner: PageClient, kind: RunKind, state: RunState
    ) -> None:
        run_id = run_of(app, account1, state=state, kind=kind)
        for address in (path(account1, "runs", run_id), path(account1, "runs"), path(account1)):
            owner.get_page(address)

    def test_one_from_before_calls_were_counted_is_a_page(
        self, app: Flask, account1: Account, owner: PageClient
    ) -> None:
        told = {name: value for name, value in SUMMARY.items() if name != "calls"}
        run_id = run_of(app, account1, summary=told)
        assert figures(owner.get_page(path(account1, "runs", run_id)))["Calls to AWS"] == NOTHING


def test_times_are_the_viewer_s(app: Flask, account1: Account, owner: PageClient) -> None:
    with app.app_context():
        db.session.get_one(User, account1.user_id).time_zone = "Asia/Kathmandu"
        db.session.commit()
    run_of(app, account1, created_at=datetime.fromisoformat("2026-07-01T12:00:00+00:00"))
    assert "2026-07-01 17:45:00 +0545" in owner.get_page(path(account1, "runs")).text
