"""One request to the simulated AWS, taken apart; and the log entry it leaves."""

import io
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/\s]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request"
    r",\s*SignedHeaders=(?P<headers>[^,\s]+),\s*Signature=(?P<signature>[0-9a-f]+)"
)
_ROLE_ACCOUNT = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):role/")


@dataclass(frozen=True, slots=True)
class Signature:
    """The parts of an Authorization header (SigV4)."""

    access_key_id: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str


@dataclass(frozen=True, slots=True)
class Call:
    """What was asked, before anybody decided whether it may be."""

    service: str
    action: str
    region: str
    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str] = field(repr=False)
    """Lower-case names."""

    params: dict[str, str]
    """The form of the query protocols; empty for JSON."""

    signature: Signature | None

    @property
    def is_json(self) -> bool:
        return "x-amz-target" in self.headers

    @property
    def role_account_id(self) -> str | None:
        """The account of the role to be assumed."""
        match = _ROLE_ACCOUNT.match(self.params.get("RoleArn", ""))
        return match[1] if match and self.action == "AssumeRole" else None


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """What was asked and answered. `account_id` is the one the call is about: for AssumeRole the role's."""

    time: datetime
    service: str
    action: str
    region: str
    account_id: str | None
    caller_account_id: str | None
    access_key_id: str | None
    external_id: str | None
    page: int
    status: int
    fault: str | None
    """The kind of fault that answered instead of AWS."""


def read_call(environ: dict[str, Any]) -> Call:
    """Take a WSGI request apart, and leave its body to be read again."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    headers = {
        name[5:].replace("_", "-").lower(): str(value) for name, value in environ.items() if name.startswith("HTTP_")
    }
    headers |= {"content-type": environ.get("CONTENT_TYPE", ""), "content-length": str(length)}
    query = environ.get("QUERY_STRING", "")
    form = "json" not in headers["content-type"]
    params = dict(parse_qsl(query, keep_blank_values=True))
    if form:
        params |= dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    signature = _signature(headers.get("authorization", ""))
    target = headers.get("x-amz-target", "")
    return Call(
        service=signature.service if signature else "",
        action=target.rpartition(".")[2] or params.get("Action", ""),
        region=signature.region if signature else "",
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", "/"),
        query=query,
        body=body,
        headers=headers,
        params=params,
        signature=signature,
    )


def _signature(header: str) -> Signature | None:
    match = _AUTHORIZATION.match(header)
    if match is None:
        return None
    names = tuple(match["headers"].split(";"))
    return Signature(match["key"], match["region"], match["service"], names, match["signature"])
