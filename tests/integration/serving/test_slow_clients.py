"""Clients who send byte by byte, or do not take their answer, against the web server as it is started everywhere."""

import contextlib
import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.chaos.installation import free_port, wait_until
from tests.fakes.echo import LARGE_BYTES

ROOT = Path(__file__).parents[3]
HOST = "127.0.0.1"

#: More than one for each thread.
SLOW_CLIENTS = 6

#: What each sends at once, and what in drips.
SLOW = {
    "heads": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
    "bodies": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", b"a"),
    "chunks": (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "empty lines": (b"\r\n\r\n", b"\r\n"),
    "nothing": (b"", b""),
    "too much": (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n", b"a"),
    "a second request": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT", b"T"),
    "no end": (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"a"),
}

Start = Callable[..., "Server"]


class Server:
    """One worker with two threads."""

    def __init__(self, files: int) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "gunicorn", "tests.fakes.echo:app", "--bind", f"{HOST}:{self.port}"]
        self.process = subprocess.Popen(
            [*command, "--workers", "1", "--threads", "2", "--log-level", "warning"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
        )
        assert wait_until(lambda: self.get() == 200, seconds=15, every=0.02)

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=5)

    def get(self, path: str = "/", body: bytes | None = None, **headers: str) -> int:
        """The status; 0 where there is no answer."""
        with closing(http.client.HTTPConnection(HOST, self.port, timeout=5)) as connection:
            try:
                connection.request("POST" if body is not None else "GET", path, body, headers)
                answer = connection.getresponse()
                answer.read()
            except OSError:
                return 0
            return answer.status

    def stop(self) -> float:
        """How long it took, in seconds."""
        began_at = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - began_at


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def start(files: int = 1024) -> Server:
            server = Server(files)
            stack.callback(server.process.wait, 20)
            stack.callback(server.process.terminate)
            return server

        yield start


@pytest.fixture(scope="module")
def server(start: Start) -> Server:
    return start()


@contextlib.contextmanager
def slow_clients(server: Server, begin: bytes, drip: bytes, count: int = SLOW_CLIENTS) -> Iterator[None]:
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(count)]
        for client in clients:
            client.sendall(begin)
        for client in clients:
            # One that was shown out already is not slow any more.
            with contextlib.suppress(OSError):
                client.sendall(drip)
        yield


@pytest.mark.parametrize("kind", SLOW)
def test_slow_clients_delay_nobody(server: Server, kind: str) -> None:
    with slow_clients(server, *SLOW[kind]):
        began_at = time.monotonic()
        assert [server.get() for _ in range(10)] == [200] * 10
        assert time.monotonic() - began_at < 1


def test_clients_who_do_not_take_their_answer_delay_nobody(server: Server) -> None:
    with slow_clients(server, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", b"", count=1):
        assert server.get() == 200
    with slow_clients(server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2000, b""):
        assert server.get() == 200


def test_all_of_a_long_answer_comes(server: Server) -> None:
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=5)) as connection:
        for _ in range(2):
            connection.request("GET", "/large")
            assert len(connection.getresponse().read()) == LARGE_BYTES


@pytest.mark.parametrize("is_chunked", [False, True], ids=["as one", "in chunks"])
def test_a_body_comes_through_on_one_connection_after_another(server: Server, is_chunked: bool) -> None:
    body = b"y" * 600_000
    with closing(http.client.HTTPConnection(HOST, server.port, timeout=5)) as connection:
        for _ in range(2):
            connection.request("POST", "/", iter([body]) if is_chunked else body, encode_chunked=is_chunked)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"600000")


def test_what_is_too_large_is_refused_before_it_comes(server: Server) -> None:
    with server.connect() as client:
        client.sendall(SLOW["too much"][0])
        assert client.recv(100).startswith(b"HTTP/1.1 413")


def test_a_head_without_an_end_is_refused(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000)
        assert client.recv(100).startswith(b"HTTP/1.1 431")


def test_who_asks_first_is_told_to_go_on(server: Server) -> None:
    with server.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 100")
        client.sendall(b"hi")
        answer = b""
        while not answer.endswith(b"\r\n2\r\n\r\n2") and not answer.endswith(b"\r\n\r\n2"):
            answer += client.recv(1000)
        assert b"HTTP/1.1 200" in answer


@pytest.mark.parametrize("kind", ["heads", "no end"])
def test_with_few_files_the_slowest_make_room(start: Start, kind: str) -> None:
    server = start(files=48)
    with slow_clients(server, *SLOW[kind], count=100):
        began_at = time.monotonic()
        assert [server.get() for _ in range(10)] == [200] * 10
        assert time.monotonic() - began_at < 3
    assert server.process.poll() is None


def test_slow_clients_do_not_keep_it_from_ending(start: Start) -> None:
    server = start()
    with slow_clients(server, *SLOW["bodies"]):
        assert server.stop() < 10
