"""Compressed answers, and the token that must not be found out by their length."""

import gzip

from flask import Flask

from app.models import Account, User
from app.web.csrf import MARK, mask, unmask
from tests.client import Page
from tests.conftest import SignIn

GZIP = {"Accept-Encoding": "gzip, br"}


class TestCompression:
    def test_a_list_is_compressed_for_who_takes_it(
        self, app: Flask, sign_in: SignIn, client1: User, account1: Account
    ) -> None:
        browser = sign_in(client1)
        plain = browser.get("/instances")
        assert "Content-Encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["Vary"]
        # The checking client looks at text.
        cookies = {"HTTP_COOKIE": "; ".join(f"{each.key}={each.value}" for each in browser._cookies.values())}
        client = app.test_client()
        client._cookies = browser._cookies
        answer = super(type(client), client).open("/instances", headers=GZIP, environ_base=cookies)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert int(answer.headers["Content-Length"]) == len(answer.data) < len(plain.data) / 2
        assert Page(gzip.decompress(answer.data).decode()).heading == "Instances"

    def test_pages_that_may_show_secrets_are_not(self, sign_in: SignIn, client1: User, account1: Account) -> None:
        answer = sign_in(client1).get(f"/accounts/{account1.id}", headers=GZIP)
        assert "Content-Encoding" not in answer.headers


class TestTheToken:
    def test_no_two_answers_have_the_same_text(self, sign_in: SignIn, client1: User) -> None:
        browser = sign_in(client1)
        texts = []
        for _ in range(2):
            page = browser.get_page("/instances")
            found = {each.get("value", "") for each in page.all("input", name="csrf_token")}
            assert len(found) == 1, "one answer, one text: it compresses against itself"
            texts += found
        assert texts[0] != texts[1]
        # The session's part of the token is the same in both.
        assert unmask(texts[0]).split(".")[0] == unmask(texts[1]).split(".")[0]
        assert browser.post("/theme", data={"theme": "dark", "csrf_token": texts[0]}).status_code == 303

    def test_a_text_that_is_none_of_ours_is_refused(self, sign_in: SignIn, client1: User) -> None:
        browser = sign_in(client1)
        browser.get_page("/instances")
        for text in ("", MARK, f"{MARK}abc", f"{MARK}é", mask("x"), mask("")):
            assert browser.post("/theme", data={"theme": "dark", "csrf_token": text}).status_code == 400
