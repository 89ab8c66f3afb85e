"""`python -m demo` as a newcomer runs it: everything real, in a folder of the test's own."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
READY_SECONDS = 120


def launch(folder: Path, **settings: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DEMO_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env={**environment, "DEMO_DATA": str(folder), "DEMO_PASSWORD": "for the test alone", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said_until_ready(demo: "subprocess.Popen[str]") -> str:
    assert demo.stdout is not None
    said = ""
    deadline = time.monotonic() + READY_SECONDS
    for line in demo.stdout:
        said += line
        if line.startswith("Ready: ") or time.monotonic() > deadline:
            break
    assert "\nReady: " in said, said
    return said


def processes_of(folder: Path) -> list[str]:
    """Every process that was started with this folder in its environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.fsencode(folder) in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


class TestTheDemo:
    def test_it_starts_everything_finds_the_fleet_again_and_stops_everything(self, tmp_path: Path) -> None:
        for run in ("first", "second"):
            demo = launch(tmp_path)
            try:
                said = said_until_ready(demo)
                url = re.search(r"^Ready: (http://127\.0\.0\.1:\d+)$", said, re.MULTILINE)
                assert url is not None
                for status in ("active     ok", "active     partial", "pending    unknown", "failed     refused"):
                    assert status in said, (run, said)
                for user in ("client1", "client2", "admin", "superadmin"):
                    assert re.search(rf"^  {user} +for the test alone$", said, re.MULTILINE), said
                assert sum(int(count) for count in re.findall(r"(\d+) instances$", said, re.MULTILINE)) >= 400
                with urllib.request.urlopen(f"{url[1]}/readyz", timeout=30) as answer:
                    assert answer.status == 200
                assert len(processes_of(tmp_path)) >= 5
            finally:
                demo.send_signal(signal.SIGTERM)
                demo.communicate(timeout=90)
            assert demo.returncode == 0
            assert processes_of(tmp_path) == []

    @pytest.mark.parametrize(
        ("port", "words"), [("taken", "is taken: set DEMO_PORT"), ("nonsense", "must be a port number")]
    )
    def test_a_port_that_cannot_be_used_is_one_clear_line(self, tmp_path: Path, port: str, words: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as holder:
            if port == "taken":
                port = str(holder.getsockname()[1])
            demo = launch(tmp_path, DEMO_PORT=port)
            said, _ = demo.communicate(timeout=60)
        assert demo.returncode == 1
        assert words in said
        assert len(said.splitlines()) == 1
