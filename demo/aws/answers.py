"""AWS's answers as XML: STS's, EC2's, and the two shapes of errors."""

from dataclasses import dataclass, field
from uuid import uuid4
from xml.sax.saxutils import escape

STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/xml;charset=UTF-8"})


class AwsError(Exception):
    """Answered to the client in the shape its service uses."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def error(service: str, problem: AwsError) -> Answer:
    """EC2 has a shape of its own; the other query services share one."""
    code, message, request_id = escape(problem.code), escape(str(problem)), uuid4()
    if service == "ec2":
        body = (
            f"<?xml version='1.0' encoding='UTF-8'?><Response><Errors><Error><Code>{code}</Code>"
            f"<Message>{message}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>"
        )
    else:
        body = (
            f'<ErrorResponse xmlns="{STS_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
            f"<Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return Answer(body.encode(), problem.status)


def sts(action: str, result: str) -> Answer:
    """An STS answer round `result`, which is XML already."""
    return Answer(
        f'<{action}Response xmlns="{STS_NAMESPACE}"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>{uuid4()}</RequestId></ResponseMetadata></{action}Response>".encode()
    )


def ec2(action: str, inner: str) -> Answer:
    """An EC2 answer round `inner`, which is XML already."""
    return Answer(
        f'<?xml version="1.0" encoding="UTF-8"?><{action}Response xmlns="{EC2_NAMESPACE}">'
        f"<requestId>{uuid4()}</requestId>{inner}</{action}Response>".encode()
    )
