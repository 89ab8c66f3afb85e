"""A signed-in browser over real HTTP, and what it was answered."""

import re
import time
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Sequence
from http.cookiejar import CookieJar
from typing import NamedTuple
from urllib.error import HTTPError, URLError

from tests.factories import PASSWORD

_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Answer(NamedTuple):
    """`status` is 0 where there was no answer in time."""

    status: int
    text: str
    seconds: float


class Browser:
    """Keeps its cookies, and notes each answer to `get` in `seen`."""

    def __init__(self, port: int, *, timeout: float = 10) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.timeout = timeout
        self.seen: list[Answer] = []
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def sign_in(self, username: str) -> Answer:
        return self.post("/sign-in", page="/sign-in", username=username, password=PASSWORD)

    def get(self, path: str) -> Answer:
        self.seen.append(self._open(path))
        return self.seen[-1]

    def post(self, path: str, *, page: str, **fields: str) -> Answer:
        """Send the fields with the token of a page."""
        found = _TOKEN.search(self._open(page).text)
        fields["csrf_token"] = found[1] if found else ""
        return self._open(path, urllib.parse.urlencode(fields).encode())

    def _open(self, path: str, data: bytes | None = None) -> Answer:
        began_at = time.monotonic()
        try:
            with self._opener.open(self.address + path, data, timeout=self.timeout) as response:
                status, text = response.status, response.read().decode()
        except HTTPError as error:
            with error:
                status, text = error.code, error.read().decode()
        except (URLError, OSError):
            status, text = 0, ""
        return Answer(status, text, time.monotonic() - began_at)


def share_served(answers: Sequence[Answer]) -> float:
    return sum(answer.status == 200 for answer in answers) / max(len(answers), 1)


def statuses(answers: Sequence[Answer]) -> str:
    """How often each."""
    return ", ".join(f"{status} x{count}" for status, count in sorted(Counter(a.status for a in answers).items()))


def percentile(answers: Sequence[Answer], share: float) -> float:
    """Of the seconds."""
    ordered = sorted(answer.seconds for answer in answers)
    return ordered[int(share * (len(ordered) - 1))] if ordered else 0.0
