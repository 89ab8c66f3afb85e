"""Little memory, few files, slow clients: the web process and a worker as they are documented."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.browser import Answer, Browser, percentile, share_served, statuses
from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import Installation, free_port, installed, kill, wait_until
from tests.chaos.report import Table
from tests.databases import Databases

FLEETS = (
    ChurningFleet(instances=10_000, regions=4, account=1, churn_percent=60),
    ChurningFleet(instances=300, regions=2, account=2),
)
MEGABYTES, FILES, CLIENTS = 256, 64, 200
PAGES = ("/", "/instances", "/accounts", "/sign-in")
MEASURED_SECONDS = 12.0

#: How much slower others may be served; below the second figure, in seconds, a ratio says nothing on a busy machine.
RATIO, NOISE_SECONDS = 2.0, 0.05

#: The reason of a run whose workers all died of it.
GIVEN_UP = "Given up after"

#: What a slow client sends at once, and what each second.
SLOW = {
    "heads": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
    "bodies": (b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n", b"a"),
    "chunks": (b"POST /sign-in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "answers not taken": (b"GET /static/vendor/htmx/htmx.min.js HTTP/1.1\r\nHost: x\r\n\r\n" * 4, b""),
    "no close": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"a"),
}


@dataclass(frozen=True)
class Limit:
    """`prefix` starts a command under it."""

    words: str
    prefix: tuple[str, ...] = ()
    group: Path | None = None

    def most_used(self) -> str:
        if self.group is None:
            return "-"
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            with suppress(OSError):
                return f"{int((self.group / name).read_text()) / 2**20:.0f} MB"
        return "?"

    def killed(self) -> int:
        """How often the kernel killed a process of it for want of memory."""
        if self.group is None:
            return 0
        for name in ("memory.oom_control", "memory.events"):
            with suppress(OSError):
                found = re.search(r"^oom_kill (\d+)$", (self.group / name).read_text(), re.MULTILINE)
                return int(found[1]) if found else 0
        return 0


NO_MEMORY_LIMIT = Limit("none: no memory cgroup here")
FEW_FILES = Limit(f"{FILES} files", ("prlimit", f"--nofile={FILES}"))


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """Discoveries of 10,300 under each limit, then slow clients under each."""
    table = Table(
        f"little of something (SQLite, folder broker): {MEGABYTES} MB, {FILES} files, {CLIENTS} slow clients",
        ("what", "limit", "p95 alone", "p95 meanwhile, or time", "result", "most memory", "problems"),
    )
    with (
        serving(*FLEETS, page_size=1000) as aws,
        installed(databases, "sqlite", folder / "here", aws, FLEETS) as here,
    ):
        here.start("scheduler")
        with memory_limit(MEGABYTES) as limit:
            _discover(table, here, limit, concurrency=1, threads=1)
        with memory_limit(MEGABYTES) as limit:
            _discover(table, here, limit, concurrency=2, threads=4)
        _discover(table, here, FEW_FILES, concurrency=2, threads=4)
        with memory_limit(MEGABYTES) as limit:
            _serve_beside_slow_clients(table, here, limit)
        _serve_beside_slow_clients(table, here, FEW_FILES)
        _serve_beside_slow_clients(table, here, Limit("none"))
    return table


@contextmanager
def memory_limit(megabytes: int) -> Iterator[Limit]:
    """A cgroup of our own, beneath the one that we are in; no limit where we may not make one, and it says so."""
    group = _own_group()
    if group is None or shutil.which("sh") is None:
        yield NO_MEMORY_LIMIT
        return
    group = group / f"chaos-{os.getpid()}"
    try:
        group.mkdir()
        name = "memory.limit_in_bytes" if (group / "memory.limit_in_bytes").exists() else "memory.max"
        (group / name).write_text(str(megabytes * 2**20))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        yield NO_MEMORY_LIMIT
        return
    try:
        script = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        yield Limit(f"{megabytes} MB", ("sh", "-c", script, "sh"), group)
    finally:
        # Its processes are gone when the installation is closed.
        wait_until(lambda: not (group / "cgroup.procs").read_text().strip(), seconds=10)
        with suppress(OSError):
            group.rmdir()


def _own_group() -> Path | None:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        root = Path("/sys/fs/cgroup")
        if "memory" in controllers.split(","):
            return root / "memory" / path.lstrip("/")
        if not controllers and (root / path.lstrip("/") / "memory.max").exists():
            return root / path.lstrip("/")
    return None


def _discover(table: Table, here: Installation, limit: Limit, *, concurrency: int, threads: int) -> None:
    """All accounts, by a worker under the limit: done, or failed with a reason, and then done without the limit."""
    here.become(here.fleets[0].generation + 1)
    own = [sys.executable, "-m", "flask", "--app", "wsgi", "worker", "--concurrency", str(concurrency)]
    worker = here.run([*limit.prefix, *own], "worker", REGION_THREADS=str(threads))
    began_at = time.monotonic()
    ids = here.ask()
    problems = []
    if not here.wait_for(ids, seconds=180):
        problems.append("the discoveries do not end")
    seconds = time.monotonic() - began_at
    told = here.told(ids)
    if worker.poll() is not None:
        problems.append("the worker ended")
    kill(worker)
    if not all(text.startswith("succeeded") for text in told):
        worker = here.start("worker")
        if not here.wait_for(here.ask(), seconds=120):
            problems.append("the next discoveries do not end")
        kill(worker)
    here.discovered()
    problems += [text for text in here.problems() if GIVEN_UP not in text]
    what = f"discovery of 10,300, --concurrency {concurrency}, REGION_THREADS={threads}"
    results = "; ".join(sorted({text.replace(" (", ": ").split(" instances")[0].rstrip(")") for text in told}))
    if limit.killed():
        results += f"; {limit.killed()} processes killed for want of memory"
    row = (what, limit.words, "-", f"{seconds:.0f} s", results, limit.most_used(), len(problems))
    table.add(row, [f"{what}, {limit.words}: {problem}" for problem in problems])


def _serve_beside_slow_clients(table: Table, here: Installation, limit: Limit) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{port}"]
    web = here.run([*limit.prefix, *command], "web")
    browser = Browser(port)
    assert wait_until(lambda: browser.get("/healthz").status == 200, seconds=30), "The web process does not answer"
    assert browser.sign_in(here.username).status == 200
    _measure(browser, 3)
    workers = _children(web)
    for kind, (begin, drip) in SLOW.items():
        alone = _measure(browser, MEASURED_SECONDS / 2)
        with slow_clients(port, begin, drip):
            meanwhile = _measure(browser, MEASURED_SECONDS)
        again = _measure(browser, MEASURED_SECONDS / 2)
        usual, slowed = max(percentile(alone, 0.95), percentile(again, 0.95)), percentile(meanwhile, 0.95)
        problems = []
        if slowed > max(RATIO * usual, NOISE_SECONDS):
            problems.append(f"others are {slowed / usual:.1f} times as slow")
        if share_served(meanwhile) < 1:
            problems.append(f"others are not served: {statuses(meanwhile)}")
        if web.poll() is not None or _children(web) != workers:
            problems.append("a worker of the web process died")
        if limit.killed():
            problems.append(f"{limit.killed()} processes were killed for want of memory")
        table.add(
            (
                *(f"slow clients: {kind}", limit.words, f"{usual * 1000:.0f} ms", f"{slowed * 1000:.0f} ms"),
                *(f"{share_served(meanwhile):.1%} of {len(meanwhile)}", limit.most_used(), len(problems)),
            ),
            [f"{kind}, {limit.words}: {problem}" for problem in problems],
        )
    kill(web)


@contextmanager
def slow_clients(port: int, begin: bytes, drip: bytes) -> Iterator[None]:
    """So many: who is shown out comes back a few seconds later."""
    stop = threading.Event()

    def be_slow() -> None:
        clients: list[socket.socket] = []
        turn = 0
        while not stop.wait(1):
            turn += 1
            for client in clients[:]:
                try:
                    client.send(drip)
                except BlockingIOError:
                    pass
                except OSError:
                    client.close()
                    clients.remove(client)
            while len(clients) < CLIENTS and turn % 5 == 1:
                clients.append(client := socket.socket())
                # What is not taken is then soon more than the system keeps.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.settimeout(5)
                client.connect(("127.0.0.1", port))
                client.setblocking(False)
                with suppress(OSError):
                    client.send(begin)
        for client in clients:
            client.close()

    thread = threading.Thread(target=be_slow, daemon=True)
    thread.start()
    time.sleep(2)
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _measure(browser: Browser, seconds: float) -> Sequence[Answer]:
    browser.seen.clear()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for page in PAGES:
            browser.get(page)
    return browser.seen[:]


def _children(process: subprocess.Popen[bytes]) -> set[str]:
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return {child for task in tasks for child in (task / "children").read_text().split()}
