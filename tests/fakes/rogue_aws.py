"""A rogue AWS endpoint on a real socket: it answers whatever a test tells it to, or does not."""

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"

#: Whoever waits for an answer that never comes, or for all of one that drips, waits for longer than any test may take.
SILENT_SECONDS, DRIP_SECONDS = 120, 0.25


@dataclass(frozen=True)
class Answer:
    """What to send. `manner` is plain, silent (never answers), reset, drip (a byte now and then) or short."""

    body: bytes = b""
    status: int = 200
    manner: str = "plain"
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


def page(*ids: str, token: str | None = None) -> Answer:
    """A well-formed answer to DescribeInstances."""
    items = "".join(
        f"<item><reservationId>r-{i}</reservationId><ownerId>123456789012</ownerId><instancesSet><item>"
        f"<instanceId>{i}</instanceId><instanceType>t3.micro</instanceType>"
        "<instanceState><code>16</code><name>running</name></instanceState></item></instancesSet></item>"
        for i in ids
    )
    following = f"<nextToken>{token}</nextToken>" if token else ""
    return xml("DescribeInstancesResponse", f"<reservationSet>{items}</reservationSet>{following}")


def xml(root: str, inside: str = "") -> Answer:
    text = f'<?xml version="1.0"?>\n<{root} xmlns="{NAMESPACE}"><requestId>req-1</requestId>{inside}</{root}>'
    return Answer(text.encode())


def error(code: str, message: str = "no", status: int = 400, **headers: str) -> Answer:
    """EC2's error format, which botocore also takes for STS."""
    text = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>req-9</RequestID></Response>"
    )
    return Answer(text.encode(), status, headers=headers)


class Rogue:
    """The endpoint; `answer(form, number)` says what to send for the request of that number."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, str], int], Answer] = lambda form, number: Answer()
        self.requests: list[dict[str, str]] = []
        self.closing = threading.Event()
        rogue = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
                form["authorization"] = self.headers.get("authorization", "")
                rogue.requests.append(form)
                rogue.send(self, rogue.answer(form, len(rogue.requests)))

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def send(self, handler: BaseHTTPRequestHandler, answer: Answer) -> None:
        handler.close_connection = answer.manner != "plain"
        try:
            if answer.manner == "silent":
                self.closing.wait(SILENT_SECONDS)
                return
            if answer.manner == "reset":
                handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            handler.send_response(answer.status)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            length = len(answer.body) if answer.length is None else answer.length
            handler.send_header("Content-Length", str(length))
            handler.end_headers()
            if answer.manner == "drip":
                for position in range(len(answer.body)):
                    handler.wfile.write(answer.body[position : position + 1])
                    handler.wfile.flush()
                    if self.closing.wait(DRIP_SECONDS):
                        return
            else:
                handler.wfile.write(answer.body)
        except OSError:
            pass  # the client has had enough, which is what several tests are about

    def close(self) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)
