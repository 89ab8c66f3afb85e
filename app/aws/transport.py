"""Limits on what an AWS endpoint may send us, and for how long; imports botocore.

botocore's read time-out starts anew with each byte, it keeps answers of any size in memory, and it reads an HTML
page with status 200 as an answer without content. A proxy, a captive portal or a broken endpoint must not hang a
worker, fill its memory, or look like an empty account. Held by botocore's events, so its signing and its retries
stay in use.
"""

import io
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    HTTPClientError,
    ReadTimeoutError,
)
from urllib3.exceptions import HTTPError
from urllib3.exceptions import ReadTimeoutError as UrllibReadTimeoutError

from app.aws.meter import CallMeter

if TYPE_CHECKING:
    from botocore.awsrequest import AWSPreparedRequest
    from botocore.client import BaseClient

#: One page of instances (`ec2.PAGE_SIZE`), each with 50 tags of full length, stays below this.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 256 * 1024

#: What may stand before the first element: a byte order mark, the XML declaration, comments. No DOCTYPE: AWS sends
#: none, and entities are how a small text becomes a huge one or reads a file.
_PROLOGUE = rb"\A(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>)?\s*(?:<!--.*?-->\s*)*"
_XML_PROTOCOLS = frozenset({"ec2", "query"})


class MalformedAnswerError(BotoCoreError):
    """The answer is not what it claims to be. Asking again at once would give the same."""

    fmt = "The answer to {operation} is not AWS's: {reason}"


class CallTimeoutError(BotoCoreError):
    """One call, with all its attempts, has used up its time."""

    fmt = "No complete answer from {endpoint_url} within {seconds} seconds"


class _BufferedBody:
    """The `raw` of an AWSResponse whose bytes are already here."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterator[bytes]:
        yield self._body


class Guard:
    """Watches one client: whole-call deadline, size of the answer, and that it is the answer asked for.

    `deadline` (of `time.monotonic`) is the end of all calls. Past either, nothing is sent and nothing more is read;
    botocore's wait before a repeat (a few seconds at most) is not cut short. `meter` counts what is sent.
    """

    def __init__(
        self,
        client: "BaseClient",
        *,
        read_seconds: float,
        call_seconds: float,
        deadline: float | None = None,
        meter: CallMeter | None = None,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self._call_seconds = call_seconds
        self._deadline = deadline
        self._meter = meter
        self._region = client.meta.region_name
        self._service = client.meta.service_model.service_name
        self._max_bytes = max_bytes
        self._local = threading.local()
        self._read_seconds = read_seconds
        self._http = client._endpoint.http_session  # type: ignore[attr-defined]
        self._protocol = client.meta.service_model.protocol
        events = client.meta.events
        events.register("before-call", self._start)
        events.register("before-send", self._send)  # type: ignore[arg-type]
        events.register("before-parse", self._inspect)

    def _start(self, **_: Any) -> None:
        deadline = time.monotonic() + self._call_seconds
        self._local.deadline = deadline if self._deadline is None else min(deadline, self._deadline)

    def _send(self, request: "AWSPreparedRequest", event_name: str, **_: Any) -> AWSResponse:
        """Do the sending ourselves, so that the body is read by a clock and a measure. Called once per attempt."""
        left = self._local.deadline - time.monotonic()
        if left <= 0:
            raise CallTimeoutError(endpoint_url=request.url, seconds=self._call_seconds)
        request.context["read_timeout"] = min(left, self._read_seconds)  # type: ignore[attr-defined]
        request.stream_output = True
        if self._meter is not None:
            # before-send.ec2.DescribeInstances
            self._meter.count(self._region, f"{self._service}:{event_name.rpartition('.')[2]}")
        response = self._http.send(request)
        body = self._read(request.url, response)
        return AWSResponse(request.url, response.status_code, response.headers, _BufferedBody(body))

    def _read(self, url: str, response: AWSResponse) -> bytes:
        body = io.BytesIO()  # which gives what it holds without a copy
        size = 0
        try:
            # read1 gives what has arrived; stream() would wait for a whole chunk, however slowly it drips.
            while chunk := response.raw.read1(CHUNK_BYTES):
                size += len(chunk)
                if size > self._max_bytes:
                    raise MalformedAnswerError(
                        operation="the call", reason=f"it is larger than {self._max_bytes} bytes"
                    )
                if time.monotonic() >= self._local.deadline:
                    raise CallTimeoutError(endpoint_url=url, seconds=self._call_seconds)
                body.write(chunk)
        except UrllibReadTimeoutError as error:
            raise ReadTimeoutError(endpoint_url=url, error=error) from error
        except HTTPError as error:
            raise ConnectionClosedError(endpoint_url=url, error=error) from error
        except OSError as error:
            raise HTTPClientError(error=error) from error
        finally:
            # An answer left half read must not be the beginning of the next one.
            if size == 0 or not response.raw.isclosed():
                response.raw.close()
            response.raw.release_conn()
        declared = response.headers.get("content-length")
        if declared is not None and declared.isdigit() and int(declared) != size:
            raise ConnectionClosedError(endpoint_url=url, error=f"{size} of {declared} bytes came")
        return body.getvalue()

    def _inspect(self, operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
        if self._protocol not in _XML_PROTOCOLS:
            return
        body: bytes = response_dict["body"]
        status: int = response_dict["status_code"]
        operation: str = operation_model.name
        if status < 300:
            root = _PROLOGUE + rb"<(?:[\w.-]+:)?" + operation.encode() + rb"Response[\s/>]"
            if not re.match(root, body, re.DOTALL):
                raise MalformedAnswerError(operation=operation, reason=_describe(body))
        elif b"<!DOCTYPE" in body or not re.match(_PROLOGUE + rb"<", body, re.DOTALL):
            if status < 500:
                raise MalformedAnswerError(operation=operation, reason=f"status {status} with {_describe(body)}")
            # A balancer's error page: without a body botocore sees a plain 5xx, and tries again.
            response_dict["body"] = b""


def _describe(body: bytes) -> str:
    """What came instead, in words; never the body itself, which may hold anything."""
    start = body[:512].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if b"<!doctype" in start:
        return "XML with a document type"
    if start.startswith(b"<"):
        return "other XML"
    return "something that is not XML"
