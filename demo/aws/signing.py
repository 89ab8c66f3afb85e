"""Checks AWS Signature Version 4 on incoming requests, as AWS does.

Source: AWS General Reference, "Create a signed AWS API request".
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]*)/(?P<service>[^/]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)

#: AWS refuses signatures that are older, or newer, than this.
MAX_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Signature:
    """What an Authorization header says."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(header: str) -> Signature | None:
    """The parts of a SigV4 Authorization header; None when it is none."""
    match = AUTHORIZATION.fullmatch(header.strip())
    if match is None:
        return None
    return Signature(
        match["key"],
        match["date"],
        match["region"],
        match["service"],
        tuple(match["headers"].split(";")),
        match["signature"],
    )


def is_signed_by(
    secret: str, signature: Signature, *, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> bool:
    """Whether the request was signed with this secret; `headers` have lower-case names."""
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(query, keep_blank_values=True))
    canonical = "\n".join(
        (
            method,
            quote(path, safe="/-_.~%"),
            "&".join(f"{key}={value}" for key, value in pairs),
            "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signature.signed_headers),
            ";".join(signature.signed_headers),
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{signature.date}/{signature.region}/{signature.service}/aws4_request"
    to_sign = "\n".join(
        ("AWS4-HMAC-SHA256", headers.get("x-amz-date", ""), scope, hashlib.sha256(canonical.encode()).hexdigest())
    )
    key = f"AWS4{secret}".encode()
    for part in (signature.date, signature.region, signature.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.signature)


def skew_of(amz_date: str) -> timedelta:
    """How far the client's clock is ahead of ours."""
    try:
        signed_at = datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return timedelta.max
    return signed_at - datetime.now(UTC)
