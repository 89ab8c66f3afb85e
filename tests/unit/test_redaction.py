"""Secrets are masked whatever wrote them and however they are encoded; what people need to read stays."""

import base64
import binascii
import hashlib
import html
import json
import urllib.parse
from time import thread_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.crypto import Keyring, Place
from app.services.redaction import MASK, MAX_TEXT, redact_details, redact_text

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYzH8tQ2v5Lo"
TOKEN = "IQoJb3JpZ2luX2VjEPT//////////wEaCXVzLWVhc3QtMSJHMEUCIQDd0Zr8" + "k3JwS9pQx7Ty" * 12 + "=="
ENCODINGS = {
    "plain": SECRET,
    "reversed": SECRET[::-1],
    "url": urllib.parse.quote(SECRET, safe=""),
    "url twice": urllib.parse.quote(urllib.parse.quote(SECRET, safe=""), safe=""),
    "every letter": "".join(f"%{byte:02X}" for byte in SECRET.encode()),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64url": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    "base32": base64.b32encode(SECRET.encode()).decode(),
    "hex": binascii.hexlify(SECRET.encode()).decode(),
    "HEX": binascii.hexlify(SECRET.encode()).decode().upper(),
    "json": json.dumps(SECRET).replace("/", "\\/"),
    "unicode escapes": SECRET.replace("/", "\\u002f").replace("+", "\\u002b"),
    "all unicode escapes": "".join(f"\\u{ord(char):04x}" for char in SECRET),
    "html": html.escape(SECRET).replace("/", "&#x2F;").replace("+", "&#43;"),
    "bytes": repr(SECRET.encode()),
    "basic": "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode(),
}
AROUND = [
    "{}",
    "Calling with {} now",
    "key={}",
    "('{}',)",
    "<v>{}</v>",
    "x:{}, y",
    '"{}"',
    "\n{}\n",
    "[{}]",
    "user/{}@host",
]


class TestSecretsByTheirLook:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    @pytest.mark.parametrize("around", AROUND)
    def test_no_encoding_of_an_aws_secret_survives(self, encoding: str, around: str) -> None:
        masked = redact_text(around.format(ENCODINGS[encoding]))
        for text in ENCODINGS.values():
            assert not any(text[at : at + 12] in masked for at in range(len(text) - 12))

    def test_session_tokens_are_masked(self) -> None:
        assert redact_text(f"got {TOKEN} back") == f"got {MASK} back"

    def test_our_own_ciphertexts_are_masked(self) -> None:
        keyring = Keyring()
        keyring.load([("k1", bytes(range(32)))])
        sealed = keyring.encrypt(SECRET, Place("accounts", 1, "x"))
        assert sealed.split(":")[2][:12] not in redact_text(f"row holds {sealed}")

    def test_key_ids_keep_their_last_four(self) -> None:
        assert redact_text("AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLX") == "****MPLE and ****MPLX"

    def test_password_hashes_and_private_keys_are_masked(self) -> None:
        pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nxyz\n-----END RSA PRIVATE KEY-----"
        text = f"$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$hash {pem}"
        assert redact_text(text) == f"{MASK} {MASK}"

    @settings(max_examples=300, deadline=None)
    @given(st.binary(min_size=30, max_size=30))
    def test_random_secrets_are_masked(self, noise: bytes) -> None:
        secret = base64.b64encode(hashlib.sha256(noise).digest())[:40].decode()
        assert secret not in redact_text(f"x {secret} y")


class TestSecretsByTheirName:
    @pytest.mark.parametrize(
        "text",
        [
            "password=hunter2", "password: hunter2", "Password = 'hunter2'", '{"password": "hunter2"}',
            "{'passwd': 'hunter2'}",
            "aws_secret_access_key=hunter2", "SecretAccessKey: hunter2", "<SecretAccessKey>hunter2</SecretAccessKey>",
            "Authorization: Bearer hunter2", "Authorization: Basic hunter2", "authorization: AWS4 a, Signature=hunter2",
            "Cookie: session=hunter2; theme=dark", "Set-Cookie: x=hunter2; Path=/", "X-Amz-Security-Token: hunter2",
            "postgresql://spot:hunter2@db/spot", "https://x?api_key=hunter2&y=1", "csrf_token=hunter2",
            "SECRET_KEY='hunter2'", "client-secret=hunter2",
            "token='hun\\'ter2 hunter2'", '\\"password\\": \\"hunter2\\"', "X-Amz-Signature=hunter2",
        ],
    )  # fmt: skip
    def test_the_value_goes(self, text: str) -> None:
        masked = redact_text(text)
        assert "hunter2" not in masked
        assert MASK in masked

    @pytest.mark.parametrize("name", ["password", "newPassword", "aws_secret_access_key", "X-Auth-Token", "SECRET_KEY"])
    @pytest.mark.parametrize("value", ["hunter2", ["hunter2"], {"a": "hunter2"}, b"hunter2"])
    def test_a_detail_of_that_name_goes_whatever_it_holds(self, name: str, value: Any) -> None:
        assert redact_details({"outer": {name: value}}) == {"outer": {name: MASK}}


class TestWhatStays:
    @pytest.mark.parametrize(
        "text",
        [
            "Account 123456789012 connected by role arn:aws:iam::123456789012:role/spotkeeper/SpotkeeperReadOnlyAccess",
            "i-0123456789abcdef0 in us-east-1a is running, launched 2026-05-04T12:00:00Z",
            'File "/srv/app/services/discovery/inventory_of_regions.py", line 12, in read_every_region_to_the_end',
            "request 8c6a4b1e-7d3f-4a2b-9c5d-1e2f3a4b5c6d took 12 ms",
            "AccessDenied: User: arn:aws:sts::123456789012:assumed-role/Reader/x is not authorized",
            "SecretError: No encryption key with the id 'k1' is loaded",
            "0123456789abcdef0123456789abcdef01234567 is a commit",
            "Grüße, 東京 and 😀",
        ],
    )  # fmt: skip
    def test_what_people_need_to_read(self, text: str) -> None:
        assert redact_text(text) == text

    def test_details_stay_json(self) -> None:
        details = {
            "n": 1,
            "f": 1.5,
            "none": None,
            "yes": True,
            "nan": float("nan"),
            "list": [1, "a"],
            "set": {1},
            5: object,
        }
        found = redact_details(details)  # type: ignore[arg-type]
        assert json.loads(json.dumps(found, allow_nan=False))["list"] == [1, "a"]
        assert found["nan"] == "nan"

    def test_what_no_database_takes_is_written_out(self) -> None:
        assert redact_text("a\0b\ud800c") == "a\\x00b\\ud800c"

    def test_a_long_text_is_cut_after_masking(self) -> None:
        text = redact_text("x y " * 999 + SECRET * 3 + " z" * 99_999)
        assert len(text) == MAX_TEXT
        assert SECRET[:12] not in text

    def test_a_bottomless_detail_ends(self) -> None:
        endless: dict[str, Any] = {}
        endless["again"] = endless
        assert len(json.dumps(redact_details(endless))) < 10_000

    @pytest.mark.parametrize("part", ["a", "password", "=", "%", "x:", "secret='", "\\u", "://", "<token"])
    def test_no_text_takes_long(self, part: str) -> None:
        text = part * (16_000 // len(part))
        began = thread_time()
        redact_text(text)
        assert thread_time() - began < 0.5
