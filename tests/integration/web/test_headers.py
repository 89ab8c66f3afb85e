"""The headers of every kind of answer; `PageClient` checks most of them on each."""

import re
from pathlib import Path

import pytest
from flask import Flask

from app.models import User
from tests.client import PageClient
from tests.conftest import SignIn, make_app, make_config
from tests.factories import PASSWORD, make_user


class TestEveryAnswer:
    def test_its_request_id_is_ours(self, client: PageClient) -> None:
        sent = "0" * 32
        first = client.get("/sign-in", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
        second = client.get("/sign-in").headers["X-Request-ID"]
        assert len({sent, first, second}) == 3

    def test_its_nonce_is_used_once(self, client: PageClient) -> None:
        found = {
            re.search(r"'nonce-([^']{20,})'", client.get("/sign-in").headers["Content-Security-Policy"])[1]  # type: ignore[index]
            for _ in range(3)
        }
        assert len(found) == 3

    def test_there_is_no_hsts_over_http(self, client: PageClient) -> None:
        assert "Strict-Transport-Security" not in client.get("/sign-in").headers

    def test_a_page_behind_sign_in_is_kept_by_nobody(self, client1: User, sign_in: SignIn) -> None:
        response = sign_in(client1).get("/me")
        assert response.headers["Cache-Control"] == "no-store"
        assert "Cookie" in response.headers["Vary"]


class TestStaticFiles:
    def test_they_are_kept_for_a_year_under_their_hash(self, client: PageClient) -> None:
        client.get_page("/sign-in")
        addresses = [link.get("href", "") for link in client.page.all("link")]
        assert len(addresses) > 3
        for address in addresses:
            assert re.search(r"\?v=[0-9a-f]{12}$", address), address
            response = client.get(address)
            assert response.status_code == 200
            assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"

    def test_without_a_hash_only_for_minutes(self, client: PageClient) -> None:
        assert client.get("/static/img/mark.svg").headers["Cache-Control"] == "public, max-age=300"

    def test_a_missing_one_is_not_kept(self, client: PageClient) -> None:
        response = client.get("/static/img/none.svg?v=123456789abc")
        assert response.status_code == 404
        assert "immutable" not in response.headers["Cache-Control"]


class TestOverHttps:
    @pytest.fixture
    def secure(self, config: object, tmp_path: Path) -> Flask:
        return make_app(make_config(tmp_path, secure_cookies=True, environment="production", trusted_proxies=1))

    def test_cookies_are_for_this_host_alone_and_http_is_forgotten(self, secure: Flask) -> None:
        with secure.app_context():
            from app.database import db

            make_user("client1")
            db.session.commit()
        client = secure.test_client()
        https = {"base_url": "https://localhost"}
        page = client.get("/sign-in", **https)
        assert page.headers["Strict-Transport-Security"].startswith("max-age=63072000")
        token = client.page.fields(client.page.form("/sign-in"))["csrf_token"]
        data = {"csrf_token": token, "username": "client1", "password": PASSWORD}
        response = client.post("/sign-in", data=data, **https)
        assert response.status_code == 303
        assert response.headers["Set-Cookie"].startswith("__Host-session=")
        assert "Secure" in response.headers["Set-Cookie"]
        assert "Domain" not in response.headers["Set-Cookie"]
        assert client.get("/me", **https).status_code == 200

    def test_a_forwarded_address_counts_from_the_last_proxy_only(self, secure: Flask) -> None:
        client = secure.test_client()
        client.get("/sign-in", base_url="https://localhost")
        token = client.page.fields(client.page.form("/sign-in"))["csrf_token"]
        codes = []
        for n in range(12):
            headers = {"X-Forwarded-For": f"203.0.113.{n}, 198.51.100.7"}
            data = {"csrf_token": token, "username": "x", "password": "wrong"}
            codes.append(client.post("/sign-in", data=data, headers=headers, base_url="https://localhost").status_code)
        assert codes == [422] * 10 + [429] * 2
