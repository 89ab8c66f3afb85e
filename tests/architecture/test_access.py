"""Every endpoint is requested as everybody, and the answers are compared with one table."""

import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.web.access import public
from tests.architecture.access_table import TABLE, VIEWERS
from tests.architecture.conftest import NOBODYS_ID, World, routes
from tests.client import PageClient

#: So that one viewer's act does not take away what the next one asks for, the owner comes last.
ORDER = ("anonymous", "client2", "client3", "admin", "superadmin", "client1")


def ask(client: PageClient, line: str, address: str) -> TestResponse:
    method = line.split()[0]
    return client.get(address) if method == "GET" else client.send(address, method=method)


def sign_of(response: TestResponse) -> str:
    """The table's sign for an answer; one that it has no sign for is given as it is."""
    location = response.headers.get("Location", "")
    if response.status_code == 401 or (response.status_code in {302, 303} and location.startswith("/sign-in?next=")):
        return "?"
    if response.status_code < 400 or response.status_code in {409, 422}:
        return "+"
    return {403: "-", 404: "0"}.get(response.status_code, str(response.status_code))


class TestTheTable:
    def test_it_has_a_line_for_every_route_and_no_other(self, app: Flask) -> None:
        missing = sorted(set(routes(app)) - set(TABLE))
        stale = sorted(set(TABLE) - set(routes(app)))
        assert not missing, f"Say in tests/architecture/access_table.py who may open {missing}"
        assert not stale, f"Take out of tests/architecture/access_table.py what is gone: {stale}"

    def test_every_line_says_something_for_every_viewer(self) -> None:
        assert {line: signs for line, signs in TABLE.items() if len(signs.split()) != len(VIEWERS)} == {}


class TestEveryRoute:
    @pytest.mark.parametrize("line", TABLE)
    def test_it_answers_each_viewer_as_the_table_says(self, world: World, line: str) -> None:
        rule = routes(world.app).get(line)
        assert rule is not None, f"There is no {line}"
        found = {}
        for viewer in ORDER:
            found[viewer] = sign_of(ask(world.browser(viewer), line, world.address(rule)))
        assert " ".join(found[viewer] for viewer in VIEWERS) == TABLE[line]

    @pytest.mark.parametrize("line", [line for line, signs in TABLE.items() if "0" in signs])
    def test_foreign_and_missing_are_not_told_apart(self, world: World, line: str) -> None:
        rule = routes(world.app)[line]
        client = world.browser("client2")
        foreign = ask(client, line, world.address(rule))
        missing = ask(client, line, world.address(rule, **dict.fromkeys(rule.arguments, NOBODYS_ID)))
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert _without_ids(foreign) == _without_ids(missing)


class TestTheEnforcement:
    def test_a_view_that_declares_nothing_is_refused(self, app: Flask, client: PageClient) -> None:
        app.add_url_rule("/undeclared", "undeclared", lambda: "secret")
        assert client.get("/undeclared").status_code == 500
        app.testing = False
        assert client.get("/undeclared").status_code == 403
        app.view_functions["undeclared"] = public(lambda: "not secret")
        assert client.get("/undeclared").status_code == 200

    def test_a_partial_request_is_sent_to_sign_in_as_a_whole(self, client: PageClient) -> None:
        headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/accounts?status=failed"}
        response = client.get("/accounts/table", headers=headers)
        assert response.status_code == 401
        assert response.headers["HX-Redirect"] == "/sign-in?next=/accounts?status%3Dfailed"

    def test_a_demotion_counts_on_the_next_request(self, world: World) -> None:
        client, boss = world.browser("admin"), world.browser("superadmin")
        assert client.get("/system-logs").status_code == 200
        admin_id = world.people["admin"].id
        assert boss.send(f"/users/{admin_id}/role", {"role": "client", "confirmed": "y"}).status_code == 303
        assert client.get("/system-logs").status_code == 302


def _without_ids(response: TestResponse) -> str:
    return re.sub(r"[0-9a-f]{32}|nonce=\"[^\"]+\"|value=\"[^\"]+\"|/accounts/\d+\S*", "", response.text)
