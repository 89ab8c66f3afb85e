"""What the pages cost with a million instances over 200 accounts, as ratios to what others take in the same run.

    python -m benchmarks.pages                                  # all databases that answer; about half an hour
    python -m benchmarks.pages --instances 20000 --database sqlite

The inventory is made by `benchmarks.million`. Our pages come from gunicorn over HTTP, as they are run; Flask-Admin's
and datasette's, of the same database, from servers of their own, where `make peers` could install them. In every round
each is asked in turn; a ratio is the median of the rounds'. Exits with 1 when a gate is missed.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import flask_migrate
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import User
from app.services.instances.columns import DEFAULT_COLUMNS
from app.services.instances.facets import FACETS, list_facets
from app.services.instances.filters import InstanceFilters
from app.services.instances.listing import list_instances
from app.services.sessions import start_session
from benchmarks.budgets import BUDGETS, Result, print_results, ratios
from benchmarks.installation import create_database, drop_database, make_app, server_version
from benchmarks.machine import print_machine
from benchmarks.million import fill
from benchmarks.page_servers import PageServer, gunicorn, serving
from benchmarks.processes import ROOT, run

PEERS = ROOT / ".venv-peers" / "bin"
KINDS = ("sqlite", "postgresql", "mariadb")
PAGE_ROWS = 50
LATE_PAGE = 1_000

#: How often a page is asked for in a round: what takes no time often, because the system counts CPU by the 10 ms.
ASKED, ASKED_SLOWLY, ASKED_OFTEN = 40, 3, 1000

#: What the three-way counts of the facets are when nobody keeps them.
LIVE_FACETS = (
    "SELECT region, state, lifecycle, auth_status, count(*) FROM instances GROUP BY 1, 2, 3, 4",
    "SELECT instance_type, count(*) FROM instances GROUP BY instance_type",
    "SELECT account_id, count(*) FROM instances GROUP BY account_id",
)
#: A tag that one instance has, looked for in the description of each, in the order of the list.
JSON_TAG = {
    "sqlite": "json_extract(instance_metadata, '$.Tags.Name') = 'web-0000000'",
    "postgresql": "instance_metadata #>> '{Tags,Name}' = 'web-0000000'",
    "mariadb": "json_value(instance_metadata, '$.Tags.Name') = 'web-0000000'",
}
DATASETTE_COLUMNS = (
    *("name_key", "name", "instance_id", "account_id", "instance_type", "availability_zone", "lifecycle", "state"),
    *("auth_status", "launched_at"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", action="append", choices=KINDS, help="may be repeated; else all that answer")
    options = parser.parse_args()
    results: list[Result] = []
    versions: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.database or KINDS:
            if kind != "sqlite" and not (version := server_version(kind)):
                print(f"{kind} does not answer, and is left out")
                continue
            if kind != "sqlite":
                versions[kind] = version
            with inventory(kind, Path(folder), options.instances, options.accounts) as (app, url, people):
                results += Pages(app, kind, url, Path(folder), people, options.rounds).measure()
        results += measure_start(options.rounds)
    print_results(results, 1.0)
    print_machine(PEERS, versions)
    sys.exit(not all(result.holds(1.0) for result in results))


@contextmanager
def inventory(kind: str, folder: Path, instances: int, accounts: int) -> Iterator[tuple[Flask, str, dict[str, int]]]:
    """The application on a new database that is full, its URL, and who may sign in."""
    name = f"spotkeeper_pages_{os.getpid()}"
    url = f"sqlite:///{folder}/{name}.db" if kind == "sqlite" else create_database(kind, name)
    try:
        app = make_app(folder, url)
        with app.app_context():
            flask_migrate.upgrade()
            people = fill(instances=instances, accounts=accounts)
            db.session.remove()
        yield app, url, people
        with app.app_context():
            db.engine.dispose()
    finally:
        if kind != "sqlite":
            drop_database(kind, name)


class Pages:
    """One database's pages, asked for by an admin, who sees every instance."""

    def __init__(self, app: Flask, kind: str, url: str, folder: Path, people: dict[str, int], rounds: int) -> None:
        self._app, self._kind, self._url, self._folder, self._rounds = app, kind, url, folder, rounds
        self._viewer_id = people["admin"]
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._cpu: dict[str, list[float]] = defaultdict(list)
        self._results: list[Result] = []

    def measure(self) -> list[Result]:
        with ExitStack() as stack:
            ours = stack.enter_context(self._serve_ours())
            hello = stack.enter_context(serving("hello", gunicorn("benchmarks.page_servers:hello()"), has_worker=True))
            pages = {"first page": (ours, "/instances?view=0"), "hello": (hello, "/")}
            pages["page 1,000"] = (ours, self._late_address())
            # The others have no drivers for servers.
            if self._kind == "sqlite" and (PEERS / "gunicorn").exists():
                pages["Flask-Admin"] = (stack.enter_context(self._serve_flask_admin()), "/admin/instances/")
            if self._kind == "sqlite" and (PEERS / "datasette").exists():
                pages["datasette"] = (stack.enter_context(self._serve_datasette()), self._datasette_address())
            for turn in range(self._rounds):
                print(f"\n{self._kind}, round {turn + 1} of {self._rounds}", flush=True)
                for name, (server, address) in pages.items():
                    self._ask(name, server, address)
                self._time_queries()
            self._weigh(ours)
        for budget, above, below in (
            ("page admin", "Flask-Admin", "first page"),
            ("page datasette", "datasette", "first page"),
            ("late page", "page 1,000", "first page"),
            (f"facets {self._kind}", "counting rows", "facets"),
            (f"tag {self._kind}", "tag in JSON", "tag"),
        ):
            self._judge(budget, self._seconds[above], self._seconds[below])
        self._judge("rate hello", self._cpu["hello"], self._cpu["first page"])
        self._judge("rate admin", self._cpu["Flask-Admin"], self._cpu["first page"])
        return self._results

    def _ask(self, name: str, server: PageServer, address: str) -> None:
        server.get(address)  # what is loaded or compiled once
        times = {"first page": ASKED, "page 1,000": ASKED, "hello": ASKED_OFTEN}.get(name, ASKED_SLOWLY)
        before = server.cpu_seconds()
        seconds = [server.get(address).seconds for _ in range(times)]
        self._cpu[name].append((server.cpu_seconds() - before) / times)
        self._note(name, statistics.median(seconds), self._cpu[name][-1])

    def _time_queries(self) -> None:
        with self._app.app_context():
            viewer = db.session.get_one(User, self._viewer_id)
            tag = InstanceFilters(tag=("Name=web-0000000",))
            json_tag = f"SELECT id FROM instances WHERE {JSON_TAG[self._kind]} ORDER BY name_key, id LIMIT {PAGE_ROWS}"
            for name, work, times in (
                ("facets", lambda: list_facets(viewer, InstanceFilters(), FACETS), ASKED),
                ("tag", lambda: list_instances(viewer, tag, columns=DEFAULT_COLUMNS), ASKED),
                ("counting rows", lambda: [_rows(each) for each in LIVE_FACETS], ASKED_SLOWLY),
                ("tag in JSON", lambda: _rows(json_tag), ASKED_SLOWLY),
            ):
                work()
                self._note(name, statistics.median(_time(work) for _ in range(times)))

    def _weigh(self, server: PageServer) -> None:
        plain = server.get("/instances?view=0")
        packed = server.get("/instances?view=0", **{"Accept-Encoding": "gzip"})
        if packed.headers.get("Content-Encoding") != "gzip":
            raise SystemExit("The page does not come compressed")
        for budget, size in (("html", len(plain.body)), ("gzip", len(packed.body))):
            self._judge(budget, [size / 1000], [1])
        self._judge("worker", [server.unshared_mib()], [1])

    def _note(self, name: str, seconds: float, cpu: float | None = None) -> None:
        self._seconds[name].append(seconds)
        print(f"  {name:16} {seconds * 1000:10,.1f} ms" + (f" {cpu * 1000:10,.1f} CPU ms" if cpu else ""), flush=True)

    def _judge(self, budget: str, above: list[float], below: list[float]) -> None:
        if above and below:
            self._results.append(Result(BUDGETS[budget], ratios(above, below), self._kind))

    def _serve_ours(self) -> AbstractContextManager[PageServer]:
        application = f"benchmarks.page_servers:spotkeeper({str(self._folder)!r}, {self._url!r})"
        return serving("Spotkeeper", gunicorn(application), has_worker=True, headers={"Cookie": self._cookie()})

    def _serve_flask_admin(self) -> AbstractContextManager[PageServer]:
        command = gunicorn("benchmarks.flask_admin_pages:create_app()", python=PEERS / "python", config="/dev/null")
        command += ["--worker-class", "gthread"]
        environment = {"DATABASE": str(self._app.config["SQLALCHEMY_DATABASE_URI"])}
        return serving("Flask-Admin", command, has_worker=True, environment=environment)

    def _serve_datasette(self) -> AbstractContextManager[PageServer]:
        settings = itertools.chain.from_iterable(
            ("--setting", name, value)
            for name, value in (
                ("suggest_facets", "off"),
                ("default_page_size", str(PAGE_ROWS)),
                ("sql_time_limit_ms", "60000"),
            )
        )
        path = self._url.removeprefix("sqlite:///")
        return serving(
            "datasette", [PEERS / "datasette", "serve", path, "--port", "{port}", *settings], has_worker=False
        )

    def _datasette_address(self) -> str:
        columns = "&".join(f"_col={name}" for name in DATASETTE_COLUMNS)
        return f"/{Path(self._url).stem}/instances?_sort=name_key&{columns}"

    def _late_address(self) -> str:
        with self._app.app_context():
            viewer = db.session.get_one(User, self._viewer_id)
            page = list_instances(viewer, InstanceFilters(), size=PAGE_ROWS * (LATE_PAGE - 1))
            return f"/instances?view=0&cursor={page.next}" if page.next else "/instances?view=0"

    def _cookie(self) -> str:
        with self._app.app_context():
            _, token = start_session(db.session.get_one(User, self._viewer_id), lifetime_seconds=86_400)
            db.session.commit()
        client = self._app.test_client()
        with client.session_transaction() as session:
            session.update({"_user_id": str(self._viewer_id), "_fresh": True, "token": token})
        cookie = client.get_cookie("session")
        if cookie is None:
            raise SystemExit("Nobody is signed in")
        return f"session={cookie.value}"


def measure_start(rounds: int) -> list[Result]:
    """Budget 13: the CPU seconds of a process that answers one page, to one that only imports the libraries."""
    first_page = "from app import create_app; assert create_app().test_client().get('/sign-in').status_code == 200"
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        environment = {"INSTANCE_PATH": folder, "SPOTKEEPER_ENV": "development"}
        subprocess.run(
            [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade"],
            env={**os.environ, **environment},
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for _ in range(rounds + 1):
            ours.append(run((sys.executable, "-c", first_page), environment).cpu)
            bare.append(run((sys.executable, "-c", "import flask, sqlalchemy.orm"), {}).cpu)
    return [Result(BUDGETS["start"], ratios(ours[1:], bare[1:]))]  # the first ones write bytecode


def _rows(statement: str) -> list[object]:
    return list(db.session.execute(sa.text(statement)))


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
