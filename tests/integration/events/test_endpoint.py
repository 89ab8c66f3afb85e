"""The endpoint: who is let in, what is taken, and what is answered."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.access import access_of
from app.api import events as endpoint
from app.api.pace import Pace
from app.database import db
from app.models import Account, Run, SystemLog
from app.models.types import RunKind
from app.services.events.tokens import TOKEN_HEADER
from app.services.retention import prune_events
from tests.integration.events.events import AWS_ID, PATH, Fleet, state


@pytest.fixture
def fleet(app: Flask) -> Fleet:
    return Fleet(app)


def problem_of(answer: Any) -> tuple[int, str]:
    assert answer.mimetype == "application/problem+json"
    found = answer.get_json()
    assert found["status"] == answer.status_code
    assert found["request_id"]
    return answer.status_code, found["code"]


class TestWhoIsLetIn:
    def test_the_token_alone_does_it_from_anywhere(self, fleet: Fleet) -> None:
        answer = fleet.post(state(fleet.instance_id, "stopped"))
        assert (answer.status_code, answer.get_json()) == (202, {"outcome": "applied", "is_duplicate": False})
        assert fleet.instance().state == "stopped"
        assert fleet.account().event_at is not None

    @pytest.mark.parametrize("token", ["", "x", "A" * 43, "é" * 43, "a" * 5000, "' OR 1=1 --"])
    def test_all_others_get_the_same_refusal(self, fleet: Fleet, token: str) -> None:
        answer = fleet.post(state(fleet.instance_id, "stopped"), token=token)
        assert problem_of(answer) == (401, "unauthorized")
        assert fleet.kept() == []

    def test_a_body_of_any_kind_does_not_change_it(self, fleet: Fleet) -> None:
        client = fleet.app.test_client()
        for body in (b"", b"{", b"x" * 100_000):
            assert problem_of(client.post(PATH, data=body)) == (401, "unauthorized")

    def test_only_the_hash_is_kept(self, fleet: Fleet) -> None:
        kept = fleet.account().event_token_hash
        assert kept is not None
        assert len(kept) == 64
        assert fleet.token not in kept

    def test_nothing_but_this_route_goes_without_a_csrf_token(self, app: Flask) -> None:
        own = [
            name for name, view in app.view_functions.items() if (found := access_of(view)) and found.has_own_credential
        ]
        assert own == ["events.receive"]

    def test_another_account_is_refused_whoever_it_is(self, fleet: Fleet, account2: Account) -> None:
        answers = [
            fleet.post(state(fleet.instance_id, "stopped", account=number))
            for number in (account2.account_id, "999999999999")
        ]
        assert {problem_of(answer) for answer in answers} == {(403, "foreign_account")}
        assert answers[0].get_json()["detail"] == answers[1].get_json()["detail"]
        assert fleet.kept() == []


class TestWhatIsTaken:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{}",
            b"{",
            b"\xff",
            b"[" * 5000,
            b'{"a":' * 20 + b"1" + b"}" * 20,
            json.dumps({**state("i-0123456789abcdef0", "running"), "x": "\0"}).encode(),
            json.dumps(state("i-0123456789abcdef0", "missing")).encode(),
            json.dumps(state("i-1; DROP TABLE", "running")).encode(),
            json.dumps({**state("i-0123456789abcdef0", "running"), "time": "tomorrow"}).encode(),
            json.dumps(state("i-0123456789abcdef0", "running", seconds=100_000)).encode(),
        ],
    )
    def test_what_is_no_event_is_refused(self, fleet: Fleet, body: bytes) -> None:
        headers = {TOKEN_HEADER: fleet.token}
        answer = fleet.app.test_client().post(PATH, data=body, headers=headers, content_type="application/json")
        assert problem_of(answer) == (400, "invalid_event")
        assert fleet.kept() == []

    def test_it_must_be_json_and_small(self, fleet: Fleet) -> None:
        client, headers = fleet.app.test_client(), {TOKEN_HEADER: fleet.token}
        assert problem_of(client.post(PATH, data="{}", headers=headers)) == (415, "unsupported_media_type")
        large = client.post(PATH, json={"x": "x" * 33_000}, headers=headers)
        assert problem_of(large) == (413, "too_large")

    def test_kinds_that_nobody_knows_are_kept_and_change_nothing(self, fleet: Fleet) -> None:
        other = state(fleet.instance_id, "stopped") | {"detail-type": "EC2 Something New"}
        elsewhere = state(fleet.instance_id, "stopped") | {"source": "my.own"}
        assert fleet.outcomes(other, elsewhere) == ["ignored", "ignored"]
        assert (fleet.instance().state, len(fleet.kept())) == ("running", 2)

    def test_a_second_delivery_is_told_as_such(self, fleet: Fleet) -> None:
        one = state(fleet.instance_id, "stopped")
        assert fleet.post(one).get_json()["is_duplicate"] is False
        assert fleet.post(one).get_json() == {"outcome": "applied", "is_duplicate": True}
        assert len(fleet.kept()) == 1

    def test_unknown_instances_make_one_discovery(self, fleet: Fleet) -> None:
        events = [state(f"i-{number:017x}", "pending") for number in range(0xA00, 0xA05)]
        assert fleet.outcomes(*events) == ["unknown_instance"] * 5
        with fleet.app.app_context():
            assert db.session.scalars(sa.select(Run.kind)).all() == [RunKind.DISCOVER_ACCOUNT]

    def test_the_end_of_an_unknown_one_waits_for_the_schedule(self, fleet: Fleet) -> None:
        assert fleet.outcomes(state("i-0123456789abcdef0", "terminated")) == ["unknown_instance"]
        with fleet.app.app_context():
            assert db.session.scalars(sa.select(Run)).all() == []

    def test_too_many_at_once_are_asked_to_wait(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(endpoint, "pace", Pace(burst=2, per_second=0))
        answers = [fleet.post(state(fleet.instance_id, "running", number)) for number in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert answers[2].headers["Retry-After"] == "1"


class TestOtherAddresses:
    @pytest.mark.parametrize(("method", "path", "status"), [("GET", PATH, 405), ("POST", "/api/v1/nothing", 404)])
    def test_they_are_refused_as_json(self, fleet: Fleet, method: str, path: str, status: int) -> None:
        answer = fleet.app.test_client().open(path, method=method)
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")

    def test_a_fault_of_ours_is_a_problem_too(self, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
        def break_down(*_: Any) -> None:
            raise RuntimeError("secret words")

        monkeypatch.setattr(endpoint, "take_event", break_down)
        answer = fleet.post(state(fleet.instance_id, "stopped"))
        assert problem_of(answer) == (500, "internal")
        assert "secret words" not in answer.text


class TestThePage:
    def test_the_token_is_shown_once(self, app: Flask, account1: Account, client1: Any, sign_in: Any) -> None:
        app.extensions["spotkeeper"] = replace(app.extensions["spotkeeper"], public_url="https://spot.example")
        owner, path = sign_in(client1), f"/accounts/{account1.id}/events"
        answer = owner.submit(path, page=path)
        (token,) = [code.text for code in owner.page.all("code") if len(code.text or "") == 43]
        assert answer.status_code == 200
        assert "https://spot.example/api/v1/events" in owner.page.text
        assert token not in owner.get_page(path).html
        body = state("i-0123456789abcdef0", "terminated", account=account1.account_id)
        assert app.test_client().post(PATH, json=body, headers={TOKEN_HEADER: token}).status_code == 202
        with app.app_context():
            audit = " ".join(db.session.scalars(sa.select(SystemLog.message)))
        assert "switched on" in audit
        assert token not in audit
        assert owner.submit(f"{path}/off").status_code == 303
        assert app.test_client().post(PATH, json=body, headers={TOKEN_HEADER: token}).status_code == 401

    def test_an_account_that_nobody_has_proved_gets_none(self, app: Flask, client1: Any, sign_in: Any) -> None:
        from tests.factories import make_account

        with app.app_context():
            account_pk = make_account(client1, account_id=AWS_ID).id
            db.session.commit()
        assert sign_in(client1).send(f"/accounts/{account_pk}/events").status_code == 409


def test_old_events_are_forgotten_and_what_they_told_is_not(fleet: Fleet) -> None:
    fleet.outcomes(state(fleet.instance_id, "stopped"))
    with fleet.app.app_context():
        assert prune_events(older_than=datetime.now(UTC) - timedelta(days=1)) == 0
        assert prune_events(older_than=datetime.now(UTC) + timedelta(minutes=1)) == 1
    assert (fleet.kept(), len(fleet.history())) == ([], 1)
