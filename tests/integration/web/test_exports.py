"""Exports: exactly what is filtered, safe in a spreadsheet, in short reads, and told of."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Export, InstanceTag, SystemLog, User
from app.models.mixins import utc_now
from app.models.types import AccountStatus, ExportFormat, ExportState
from app.services.exports import export as exports
from app.services.instances.address import ListAddress
from tests.client import PageClient
from tests.conftest import SignIn
from tests.factories import make_account, make_instance, make_user

HOSTILE = '=HYPERLINK("http://evil.example","x"),\n"quoted" ' + "💥" * 20


def take(browser: PageClient, format: str, **params: Any) -> bytes:
    browser.get("/instances/export")
    response = browser.send("/instances/export", method="POST", data={"format": format, "all_columns": "1", **params})
    assert response.status_code == 200, response.text
    assert response.headers["Content-Disposition"].startswith('attachment; filename="instances-')
    assert response.headers["Cache-Control"] == "no-store"
    return response.data


def read_csv(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.fixture
def fleet(app: Flask, account1: Account, account2: Account) -> None:
    with app.app_context():
        mine, theirs = (db.session.get_one(Account, account.id) for account in (account1, account2))
        facts = {"Tags": {"Name": HOSTILE, "team": "data"}, "Vcpus": 4, "Imds": "required", "OperatedBy": None}
        make_instance(mine, instance_id="i-1", name=HOSTILE, instance_metadata=facts, state="running")
        make_instance(mine, instance_id="i-2", name="-web", state="stopped", region="eu-west-1")
        make_instance(theirs, instance_id="i-9", name="theirs", state="running")
        db.session.commit()


@pytest.mark.usefixtures("fleet")
class TestTheFile:
    def test_csv_has_what_is_filtered_and_no_formula(self, sign_in: SignIn, client1: User, account1: Account) -> None:
        rows = read_csv(take(sign_in(client1), "csv", sort="id"))
        assert [row["instance_id"] for row in rows] == ["i-1", "i-2"]
        first, second = rows
        assert first["name"] == "'" + HOSTILE
        assert second["name"] == "'-web"
        assert first["account_id"] == account1.account_id
        assert json.loads(first["tags"]) == {"Name": HOSTILE, "team": "data"}
        assert (first["vcpus"], first["imds"], first["operated_by"]) == ("4", "required", "")
        assert datetime.fromisoformat(first["first_seen_at"]).tzinfo is not None
        filtered = read_csv(take(sign_in(client1), "csv", state="stopped"))
        assert [row["instance_id"] for row in filtered] == ["i-2"]

    def test_columns_as_shown_are_those_of_the_list_with_the_id(self, sign_in: SignIn, client1: User) -> None:
        data = take(sign_in(client1), "csv", sort="-id", column=["name", "state", "tag:team"], all_columns="")
        assert list(read_csv(data)[0]) == ["instance_id", "name", "state", "missing_since", "tag:team"]
        assert [row["tag:team"] for row in read_csv(data)] == ["", "data"]

    def test_json_lines_alter_nothing(self, sign_in: SignIn, client1: User) -> None:
        lines = [json.loads(line) for line in take(sign_in(client1), "json_lines", sort="id").splitlines()]
        assert [line["name"] for line in lines] == [HOSTILE, "-web"]
        assert lines[0]["tags"] == {"Name": HOSTILE, "team": "data"}
        assert (lines[0]["vcpus"], lines[1]["vcpus"]) == (4, None)

    def test_a_workbook_has_text_where_it_looks_like_a_formula(self, sign_in: SignIn, client1: User) -> None:
        with zipfile.ZipFile(io.BytesIO(take(sign_in(client1), "xlsx", sort="id"))) as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "HYPERLINK" in sheet
        assert "<f>" not in sheet
        assert sheet.count("<row ") == 3

    def test_it_is_told_of_and_shown(self, app: Flask, sign_in: SignIn, client1: User, client2: User) -> None:
        browser = sign_in(client1)
        data = take(browser, "csv", state="running")
        with app.app_context():
            export = db.session.scalars(sa.select(Export)).one()
            assert (export.state, export.rows_done, export.rows_total) == (ExportState.DONE, 1, 1)
            assert export.bytes_sent == len(data)
            line = db.session.scalars(sa.select(SystemLog).where(SystemLog.message == "Instances exported")).one()
            assert (line.user_id, line.details["instances"]) == (client1.id, 1)
        assert "1 instance" in browser.get_page("/instances/export/latest").text
        assert "1 instance" not in sign_in(client2).get_page("/instances/export/latest").text

    @pytest.mark.parametrize(
        ("params", "words"),
        [({"format": "pdf"}, "Choose a format."), ({"format": "csv", "q": "strange:x"}, "strange:")],
    )
    def test_what_cannot_be_exported_is_said(
        self, sign_in: SignIn, client1: User, params: dict[str, str], words: str
    ) -> None:
        browser = sign_in(client1)
        browser.get("/instances/export")
        response = browser.send("/instances/export", method="POST", data=params)
        assert response.status_code == 422
        assert words in response.text


class TestTheReading:
    def test_every_row_comes_once_in_the_lists_order(
        self, any_database: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(exports, "BATCH", 3)
        with any_database.app_context():
            owner = make_user("owner")
            account = make_account(owner, status=AccountStatus.ACTIVE)
            for index in range(11):
                instance = make_instance(
                    account,
                    instance_id=f"i-{index:02}",
                    launched_at=datetime(2026, 1, 1 + index // 3, tzinfo=UTC) if index % 4 else None,
                    instance_metadata={"Tags": {"team": "data"}, "Vcpus": None},
                )
                db.session.add(InstanceTag(instance_pk=instance.id, key="team", value="data"))
            db.session.commit()
            address = ListAddress.parse(owner, {"tag": ["team=data"], "sort": ["-launched"]})
            file = exports.begin_export(owner, address, ExportFormat.JSON_LINES)
            db.session.commit()
            lines = [json.loads(line) for line in b"".join(file.chunks()).splitlines()]
        times = [line["launched_at"] for line in lines]
        known = [time for time in times if time]
        assert sorted(line["instance_id"] for line in lines) == [f"i-{index:02}" for index in range(11)]
        assert known == sorted(known, reverse=True)
        assert times[len(known) :] == [None] * 3
        assert {(line["vcpus"], line["imds"]) for line in lines} == {(None, None)}

    def test_one_that_is_left_says_so(self, app: Flask, client1: User, account1: Account) -> None:
        with app.app_context():
            make_instance(db.session.get_one(Account, account1.id))
            file = exports.begin_export(client1, ListAddress.parse(client1, {}), ExportFormat.CSV)
            db.session.commit()
            chunks = file.chunks()
            next(chunks)
            chunks.close()
        with app.app_context():
            left = db.session.get_one(Export, file.id)
            assert (left.state, left.rows_done) == (ExportState.BROKEN, 0)
            left.state, left.reported_at = ExportState.RUNNING, utc_now() - exports.SILENT_FOR
            assert not exports.is_under_way(left)
