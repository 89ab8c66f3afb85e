"""Requests that somebody else forged: refused by every form, in every way."""

import pytest
from flask import Flask

from app.models import User
from tests.architecture.access_table import TABLE
from tests.architecture.conftest import World, routes, world  # noqa: F401
from tests.architecture.test_routes import best_viewer
from tests.client import PageClient
from tests.conftest import SignIn, browser
from tests.factories import PASSWORD

#: Those that nobody may open by being signed in carry a secret of their own (tests/integration/events).
UNSAFE = [line for line, signs in TABLE.items() if not line.startswith("GET ") and "+" in signs]


@pytest.mark.parametrize("line", UNSAFE)
class TestEveryFormOfThisApplication:
    def test_it_refuses_what_another_site_sends(self, world: World, line: str) -> None:  # noqa: F811
        client = world.browser(best_viewer(line))
        other = world.browser("client2")
        address = world.address(routes(world.app)[line])
        other_token = other.token()
        with other.session_transaction() as cookie:
            cookie["csrf_token"] = "another user's secret"
        forged = PageClient.token(other)
        assert other_token
        refusals = {
            "no token": client.post(address, data={}),
            "a wrong token": client.post(address, data={"csrf_token": "guess"}),
            "another user's token": client.post(address, data={"csrf_token": forged}),
            "a foreign origin": client.send(address, headers={"Origin": "https://evil.example"}),
            "no origin at all": client.send(address, headers={"Origin": "null"}),
            "a sibling host": client.send(address, headers={"Sec-Fetch-Site": "same-site"}),
            "another port": client.send(address, headers={"Origin": "http://localhost:8080"}),
            "text as JSON": client.post(address, data='{"a":1}', content_type="text/plain"),
        }
        assert {how: answer.status_code for how, answer in refusals.items()} == dict.fromkeys(refusals, 400)


class TestWhatItSays:
    def test_an_expired_form_is_explained(self, client: PageClient, client1: User) -> None:
        client.post("/sign-in", data={"username": "client1", "password": PASSWORD})
        assert client.page.heading == "This form has expired"
        assert "Nothing was changed" in client.page.text

    def test_a_token_from_before_signing_in_no_longer_works(self, app: Flask, client1: User) -> None:
        client = browser(app)
        client.get_page("/sign-in")
        before = client.page.fields(client.page.form("/sign-in"))["csrf_token"]
        client.submit("/sign-in", {"username": "client1", "password": PASSWORD})
        assert client.post("/me", data={"csrf_token": before, "time_zone": "UTC"}).status_code == 400

    def test_a_token_may_come_in_a_header(self, client1: User, sign_in: SignIn) -> None:
        client = sign_in(client1)
        response = client.post("/me", data={"time_zone": "Europe/Berlin"}, headers={"X-CSRFToken": client.token()})
        assert response.status_code == 303

    def test_the_own_origin_is_fine(self, client1: User, sign_in: SignIn) -> None:
        headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
        assert sign_in(client1).send("/me", {"time_zone": "UTC"}, headers=headers).status_code == 303
