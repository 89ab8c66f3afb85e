"""The shapes in which AWS answers: EC2's XML, the query protocol's XML, JSON, and each one's errors."""

import json
import uuid
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, before it is sent."""

    body: bytes
    status: int = 200
    content_type: str = "text/xml;charset=UTF-8"
    headers: tuple[tuple[str, str], ...] = field(default=())


class RefusalError(Exception):
    """AWS says no: an error code with its words and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def refusal_answer(refusal: RefusalError, service: str, *, is_json: bool) -> Answer:
    """The refusal as the service would write it."""
    request_id = str(uuid.uuid4())
    code, message = escape(refusal.code), escape(refusal.message)
    if is_json:
        return json_answer({"__type": refusal.code, "message": refusal.message}, refusal.status)
    if service == "ec2":
        text = (
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
            f"<RequestID>{request_id}</RequestID></Response>"
        )
    else:
        kind = "Sender" if refusal.status < 500 else "Receiver"
        text = (
            f'<ErrorResponse xmlns="{STS_NAMESPACE}"><Error><Type>{kind}</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Answer(_document(text), refusal.status)


def ec2_answer(action: str, inside: str) -> Answer:
    """EC2's answer to an action; `inside` is XML already."""
    text = f'<{action}Response xmlns="{EC2_NAMESPACE}"><requestId>{uuid.uuid4()}</requestId>{inside}</{action}Response>'
    return Answer(_document(text))


def sts_answer(action: str, inside: str) -> Answer:
    """The query protocol's answer to an action of STS; `inside` is XML already."""
    text = (
        f'<{action}Response xmlns="{STS_NAMESPACE}"><{action}Result>{inside}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></{action}Response>"
    )
    return Answer(_document(text))


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status, "application/x-amz-json-1.1")


def element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _document(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
