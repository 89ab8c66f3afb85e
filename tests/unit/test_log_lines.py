"""How a log record reads: nothing in it can pass for a line of its own."""

import json
import logging
import sys
from typing import Any

import pytest

from app.models.types import LogLevel
from app.services.log_lines import component_of, printable, read_record, render_console, render_json
from app.services.system_logs import acting_account_id, acting_user_id, request_id

FORGED = "2026-11-22T21:09:38.000000Z ERROR   audit: forged"
BREAKS = [
    "\n",
    "\r",
    "\r\n",
    "\v",
    "\f",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\x1b[2K\x1b[1G",
    "\x08" * 80,
    "\u202e",
    "\x9b1G",
]


@pytest.fixture(autouse=True)
def nothing_under_way() -> None:
    """Other tests of the same process may have left a request behind."""
    for variable, value in ((request_id, ""), (acting_user_id, None), (acting_account_id, None)):
        variable.set(value)  # type: ignore[attr-defined]


def record(
    message: Any, *args: Any, name: str = "app.web", level: int = logging.INFO, **extra: Any
) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": name, "levelno": level, "msg": message, "args": args})
    made.__dict__.update(extra)
    return made


class TestForgery:
    @pytest.mark.parametrize("sign", BREAKS)
    @pytest.mark.parametrize("render", [render_console, render_json])
    def test_no_part_of_a_record_begins_a_line(self, sign: str, render: Any) -> None:
        evil = f"x{sign}{FORGED}"
        text = render(read_record(record("%s", evil, name=f"app.{evil}", tag=evil, **{evil: evil}, request_id=evil)))
        assert len(text.splitlines()) == 1
        assert text.isprintable()

    @pytest.mark.parametrize("sign", BREAKS)
    def test_a_traceback_is_indented_and_printable(self, sign: str) -> None:
        try:
            raise ValueError(f"x{sign}{FORGED}")
        except ValueError:
            text = render_console(read_record(record("failed", exc_info=sys.exc_info())))
        first, *rest = text.split("\n")
        assert first.endswith("web: failed")
        assert all(line.startswith("    | ") and line.isprintable() for line in rest)
        assert len(rest) > 2

    def test_a_value_cannot_pass_for_another_pair(self) -> None:
        assert render_console(read_record(record("in", tag='a" user=admin'))).endswith(r'web: in tag="a\" user=admin"')


class TestReading:
    def test_json_is_one_object_of_ascii(self) -> None:
        text = render_json(read_record(record("Grüße 😀", tag="é", account_id=7)))
        assert text.isascii()
        found = json.loads(text)
        assert (found["message"], found["details"], found["account_id"]) == ("Grüße 😀", {"tag": "é"}, 7)

    def test_a_line_carries_the_request_and_the_person_under_way(self) -> None:
        tokens = request_id.set("r" * 50), acting_user_id.set(3), acting_account_id.set(4)
        try:
            line = read_record(record("x"))
        finally:
            request_id.reset(tokens[0])
            acting_user_id.reset(tokens[1])
            acting_account_id.reset(tokens[2])
        assert (len(line.request_id), line.user_id, line.account_id) == (36, 3, 4)

    def test_aws_account_ids_stay_among_the_details(self) -> None:
        line = read_record(record("x", account_id="123456789012"))
        assert (line.account_id, line.details) == (None, {"account_id": "123456789012"})

    def test_secrets_in_arguments_details_and_exceptions_are_masked(self) -> None:
        secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzH8tQ2v5Lo"
        try:
            raise ValueError(secret)
        except ValueError:
            line = read_record(record("key %s", secret, tag=secret, exc_info=sys.exc_info()))
        assert secret not in render_console(line) + render_json(line)

    @pytest.mark.parametrize(
        ("name", "component"),
        [
            ("app.services.discovery.inventory", "discovery"),
            ("app.services.runs", "runs"),
            ("app.web.views.auth", "web"),
            ("app.tasks", "tasks"),
            ("app", "app"),
            ("spotkeeper", "app"),
            ("spotkeeper.audit", "audit"),
            ("alembic.runtime", "alembic.runtime"),
        ],
    )
    def test_the_component_is_the_noun(self, name: str, component: str) -> None:
        assert component_of(name) == component

    @pytest.mark.parametrize(
        ("level", "expected"), [(10, LogLevel.DEBUG), (20, LogLevel.INFO), (35, LogLevel.WARNING), (50, LogLevel.ERROR)]
    )
    def test_levels_have_our_words(self, level: int, expected: LogLevel) -> None:
        assert read_record(record("x", level=level)).level == expected

    def test_plain_text_is_left_alone(self) -> None:
        assert printable("Grüße, 東京 😀") == "Grüße, 東京 😀"
