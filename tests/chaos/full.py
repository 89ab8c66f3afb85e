"""Disks that are full: the database's, that of the instance folder with its broker and logs, the temporary folder.

Each is a small tmpfs, which takes root to mount. SQLite and the folder broker: servers have disks of their own.
"""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from _pytest.outcomes import Skipped

from tests.chaos.browser import Answer, Browser, share_served, statuses
from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import Installation, free_port, wait_until
from tests.chaos.report import Table
from tests.databases import Databases

FLEETS = (
    ChurningFleet(instances=1200, regions=3, account=1, churn_percent=60),
    ChurningFleet(instances=300, regions=2, account=2),
)
DISK_MEGABYTES = 30
FULL_SECONDS = 40.0

#: Of what is asked for while a disk is full, so much is served.
SERVED = 0.99
PAGES = ("/", "/instances", "/accounts", "/instances?q=web", "/me", "/healthz")

#: What a refusal says, and the reason of a run that fails meanwhile.
WORDS = "no room left"


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """Each place full once."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        raise Skipped("mounting a small disk takes root")
    table = Table(
        f"disks of {DISK_MEGABYTES} MB that are full for {FULL_SECONDS:.0f} s in the middle of a discovery (SQLite)",
        ("full", "pages served", "writes", "jobs meanwhile", "healed after", "integrity", "problems"),
    )
    for place in ("database", "instance folder", "temporary folder"):
        with serving(*FLEETS, slowest_seconds=0.3, page_size=100) as aws, small_disk(folder / "disk") as disk:
            own = folder / place.replace(" ", "-")
            own.mkdir()
            url = f"sqlite:///{disk if place == 'database' else own}/spotkeeper.db"
            here = Installation(disk / "instance" if place == "instance folder" else own, url, aws, FLEETS)
            try:
                env = {"TMPDIR": os.fspath(disk)} if place == "temporary folder" else {}
                _Full(here, place, disk, env).run(table)
            finally:
                here.close()
    return table


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        # Lazily: whoever still has a file there keeps nobody else waiting.
        subprocess.run(["umount", "-l", folder], check=True)


class _Full:
    def __init__(self, here: Installation, place: str, disk: Path, env: dict[str, str]) -> None:
        self.here, self.place, self.disk = here, place, disk
        port = free_port()
        self.started = [here.start(part, PORT=str(port), **env) for part in ("web", "worker", "scheduler")]
        self.browser = Browser(port)
        self.writes: list[Answer] = []

    def run(self, table: Table) -> None:
        assert wait_until(lambda: self.browser.get("/healthz").status == 200, seconds=30), "No web process"
        assert self.browser.sign_in(self.here.username).status == 200
        assert self.here.wait_for(self.here.ask(), seconds=90), "The first discovery does not end"
        self.here.discovered()
        self.here.become(1)
        ids = self.ids = self.here.ask()
        wait_until(lambda: self.here.is_begun(ids), seconds=10, every=0.02)
        problems = self._fill_and_look()
        meanwhile = self._told(ids)
        self._make_room()
        back_at = time.monotonic()
        if not wait_until(lambda: self._write().status == 200, seconds=15):
            problems.append(f"writing afterwards: {statuses(self.writes[-3:])}")
        if not self.here.wait_for(ids, seconds=90):
            problems.append("the discoveries do not end")
        # What failed meanwhile is the past; the next one mends it.
        if not self.here.wait_for(self.here.ask(), seconds=90):
            problems.append("the next discoveries do not end")
        healed = time.monotonic() - back_at
        self.here.discovered()
        problems += [text for text in self.here.problems() if WORDS not in text]
        problems += [f"{' '.join(map(str, died.args))} ended" for died in self.started if died.poll() is not None]
        integrity = self._integrity()
        if integrity != "ok":
            problems.append(f"integrity: {integrity}")
        table.add(
            (
                *(self.place, f"{share_served(self.browser.seen):.1%} of {len(self.browser.seen)}"),
                *(statuses(self.refused), meanwhile, f"{healed:.0f} s", integrity, len(problems)),
            ),
            [f"{self.place}: {problem}" for problem in problems],
        )

    def _fill_and_look(self) -> list[str]:
        problems = []
        self.browser.seen.clear()
        self.here.let_sessions_age()
        if self.place == "database":
            self._use_up_log()
        if self.place == "instance folder":
            self._fill()
            self.ids += self.here.ask()  # with nobody to be told
        until = time.monotonic() + FULL_SECONDS
        while time.monotonic() < until:
            self._fill()
            for page in PAGES:
                self.browser.get(page)
            self._write()
        self.refused = self.writes[:]
        if share_served(self.browser.seen) < SERVED:
            problems.append(f"pages meanwhile: {statuses(self.browser.seen)}")
        for answer in self.refused:
            if answer.status not in {200, 503, 507}:
                problems.append(f"a write meanwhile: {answer.status}")
            elif answer.status != 200 and WORDS not in answer.text.lower():
                problems.append("a refusal does not say why")
        if self.place == "database" and all(answer.status == 200 for answer in self.refused):
            problems.append("nothing was refused: the disk was not full")
        return problems

    def _write(self) -> Answer:
        pk = self.here.account_pks[0]
        path = f"/accounts/{pk}/rename"
        self.writes.append(self.browser.post(path, page=path, account_name=f"Fleet {time.time_ns()}"))
        return self.writes[-1]

    def _fill(self) -> None:
        """To the last byte, also that which was freed meanwhile."""
        for size in (1024 * 1024, 4096, 1):
            with suppress(OSError), (self.disk / "filler").open("ab", buffering=0) as filler:
                while filler.write(b"x" * size) == size:
                    pass

    def _use_up_log(self) -> None:
        """What SQLite has written and may write over would be room for a while yet."""
        with closing(sqlite3.connect(self._file(), timeout=20)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _file(self) -> str:
        return urlsplit(self.here.config.database_url).path

    def _make_room(self) -> None:
        (self.disk / "filler").unlink()

    def _told(self, run_ids: list[int]) -> str:
        """What the ledger says of the runs."""
        return "; ".join(sorted(set(self.here.told(run_ids))))

    def _integrity(self) -> str:
        with closing(sqlite3.connect(self._file())) as connection:
            return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
