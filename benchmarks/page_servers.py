"""The servers whose pages are measured: Spotkeeper's as it is run, and what others make of the same database.

Each is one process that serves (gunicorn's worker, or the program itself) beside whatever starts it; the CPU seconds
and the memory are the serving process's own, read from the system.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask

from benchmarks.installation import make_app
from benchmarks.processes import KEPT_VARIABLES, ROOT

#: Seconds.
START_LIMIT = 60


def spotkeeper(folder: str, database_url: str) -> Flask:
    """For gunicorn: the application on a database that is there."""
    return make_app(Path(folder), database_url)


def hello() -> Flask:
    """For gunicorn: the least that Flask can serve."""
    app = Flask(__name__)
    app.add_url_rule("/", "hello", lambda: "Hello, World!")
    return app


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    seconds: float
    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class PageServer:
    """A server that is running, and one connection to it."""

    name: str
    port: int
    pid: int
    """Of the process that serves."""
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, address: str, **headers: str) -> Answer:
        """Ask on a connection of its own, as a balancer would.

        Raises:
            SystemExit: the answer is not a page.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            began = time.perf_counter()
            connection.request("GET", address, headers={**self.headers, **headers})
            response = connection.getresponse()
            body = response.read()
            took = time.perf_counter() - began
        finally:
            connection.close()
        if response.status != 200:
            raise SystemExit(
                f"{self.name}: {address} answers {response.status}\n{body[:2000].decode(errors='replace')}"
            )
        return Answer(response.status, took, body, dict(response.getheaders()))

    def cpu_seconds(self) -> float:
        """User and system, of the serving process so far (proc(5): stat, fields 14 and 15)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def unshared_mib(self) -> float:
        """What this process alone has (proc(5): smaps_rollup, Private_Clean and Private_Dirty)."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


@contextmanager
def serving(
    name: str,
    command: Sequence[str | Path],
    *,
    has_worker: bool,
    environment: Mapping[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Iterator[PageServer]:
    """Start a server, and stop it afterwards; `{port}` in the command is where it shall listen.

    `has_worker` says that it serves in its one child, as gunicorn does.
    """
    port = _free_port()
    kept = {key: value for key, value in os.environ.items() if key in KEPT_VARIABLES}
    process = subprocess.Popen(
        [str(part).replace("{port}", str(port)) for part in command],
        cwd=ROOT,
        env={**kept, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(name, process, port)
        pid = _child_of(process.pid) if has_worker else process.pid
        yield PageServer(name, port, pid, headers or {})
    finally:
        process.terminate()
        process.wait(30)


def gunicorn(application: str, *, python: str | Path = sys.executable, config: str = "gunicorn.conf.py") -> list[str]:
    """The command that serves an application with one worker of eight threads."""
    options = ("--bind", "127.0.0.1:{port}", "--workers", "1", "--threads", "8", "--timeout", "300")
    return [str(python), "-m", "gunicorn", "--config", config, *options, application]


def _wait(name: str, process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"{name} ended with {process.returncode} before it served")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"{name} does not listen after {START_LIMIT} seconds")


def _child_of(pid: int) -> int:
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if children:
            return int(children[-1])
        time.sleep(0.05)
    raise SystemExit("The server has no worker")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
