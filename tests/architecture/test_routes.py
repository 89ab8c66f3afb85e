"""What holds for every route: HEAD is GET without a body, and reading changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.access import access_of
from tests.architecture.access_table import TABLE, VIEWERS
from tests.architecture.conftest import World, routes
from tests.client import PageClient

READS = [line for line in TABLE if line.startswith("GET ")]
WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER")


def best_viewer(line: str) -> str:
    """The mightiest viewer who may open it."""
    return [viewer for viewer, sign in zip(VIEWERS, TABLE[line].split(), strict=True) if sign == "+"][-1]


class TestDeclarations:
    def test_every_view_declares_its_access(self, app: Flask) -> None:
        undeclared = [name for name, view in app.view_functions.items() if access_of(view) is None]
        assert undeclared == [], f"Add @public or @requires(Role.X) to {undeclared}"


class TestReading:
    @pytest.mark.parametrize("line", READS)
    def test_it_changes_nothing(self, world: World, count_queries: Callable[[], Any], line: str) -> None:
        client = world.browser(best_viewer(line))
        address = world.address(routes(world.app)[line])
        with count_queries() as statements:
            client.get(address)
        assert [s for s in statements if s.lstrip().upper().startswith(WRITES)] == []

    @pytest.mark.parametrize("line", READS)
    def test_head_is_get_without_a_body(self, world: World, line: str) -> None:
        client = world.browser(best_viewer(line))
        address = world.address(routes(world.app)[line])
        got, head = client.get(address), client.head(address)
        assert head.data == b""
        assert head.status_code == got.status_code
        changing = {"X-Request-ID", "Content-Security-Policy", "Content-Length", "Date", "Set-Cookie"}
        assert {k: v for k, v in head.headers if k not in changing} == {
            k: v for k, v in got.headers if k not in changing
        }


class TestMethods:
    @pytest.mark.parametrize("method", ["TRACE", "PUT", "DELETE", "PATCH", "PROPFIND"])
    def test_others_are_refused(self, client: PageClient, method: str) -> None:
        response = client.open("/sign-in", method=method)
        assert response.status_code == 405
        assert "GET" in response.headers["Allow"]

    def test_a_method_cannot_be_smuggled_into_a_post(self, client: PageClient) -> None:
        response = client.post("/healthz", headers={"X-HTTP-Method-Override": "GET"}, data={"_method": "GET"})
        assert response.status_code == 405
