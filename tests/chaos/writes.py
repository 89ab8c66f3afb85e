"""kill -9 in the middle of writing to SQLite: the file is whole, and what was acknowledged is there."""

import json
import os
import random
import select
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import flask_migrate
from flask import Flask

from app import create_app
from app.database import db, new_id, own_transaction
from app.models import SystemLog
from app.models.types import LogLevel
from tests.chaos.report import Table
from tests.databases import Databases, make_config

#: Rows of one commit, and how long one is: from less than a page of the database to dozens of them.
MOST_ROWS, MOST_CHARACTERS = 20, 4000


def run(databases: Databases, folder: Path, count: int) -> Table:
    """Twice `count` kills: 100 unless told otherwise."""
    times = 2 * count
    app = create_app(make_config(databases.create("sqlite"), folder))
    with app.app_context():
        flask_migrate.upgrade()
        db.session.remove()
        db.engine.dispose()
    path = Path(urlsplit(app.extensions["spotkeeper"].database_url).path)
    acknowledged: dict[int, int] = {}
    whole = in_the_middle = 0
    problems: list[str] = []
    for number in range(1, times + 1):
        said, is_unanswered = _kill_a_writer(app)
        acknowledged |= said
        in_the_middle += is_unanswered
        integrity, found = _look(path, said)
        whole += integrity == "ok"
        if integrity != "ok":
            problems.append(f"kill {number}: {integrity}")
        if lost := said.keys() - found.keys():
            problems.append(f"kill {number}: {len(lost)} acknowledged commits lost")
        if any(found[id_] != rows for id_, rows in said.items() if id_ in found):
            problems.append(f"kill {number}: half a commit")
    lost_at_all = acknowledged.keys() - _look(path, acknowledged)[1].keys()
    if lost_at_all:
        problems.append(f"{len(lost_at_all)} acknowledged commits lost later")
    table = Table(
        "kill -9 of a process that writes to SQLite",
        ("kills", "between begin and acknowledgment", "integrity_check ok", "acknowledged commits", "of them there"),
    )
    row = (times, in_the_middle, f"{whole}/{times}", len(acknowledged), len(acknowledged) - len(lost_at_all))
    table.add(row, problems)
    return table


def _kill_a_writer(app: Flask) -> tuple[dict[int, int], bool]:
    """What it had acknowledged ({commit: rows}), and whether it died between a begin and its acknowledgment."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            _write_for_ever(app, theirs)
        finally:
            os._exit(1)
    os.close(theirs)
    # From the first line on, which says that it has begun.
    select.select([ours], [], [], 30)
    time.sleep(random.uniform(0, 0.5))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with os.fdopen(ours) as told:
        lines = [json.loads(line) for line in told.read().splitlines()]
    said = {id_: rows for word, id_, rows in lines if word == "done"}
    begun = {id_ for word, id_, _ in lines if word == "begun"}
    return said, begun != said.keys()


def _write_for_ever(app: Flask, told: int) -> None:
    def tell(*words: object) -> None:
        os.write(told, (json.dumps(words) + "\n").encode())

    with app.app_context():
        while True:
            commit, rows = new_id(), random.randint(1, MOST_ROWS)
            tell("begun", commit, rows)
            with own_transaction() as session:
                for _ in range(rows):
                    text = "x" * random.randint(1, MOST_CHARACTERS)
                    line = SystemLog(
                        component="chaos", level=LogLevel.INFO, message=str(commit), details={"text": text}
                    )
                    session.add(line)
                    if random.random() < 0.2:
                        session.flush()
            tell("done", commit, rows)


def _look(path: Path, commits: dict[int, int]) -> tuple[str, dict[int, int]]:
    """The integrity check's word, and how many rows there are of each of these commits."""
    with closing(sqlite3.connect(path)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]
        counts = connection.execute("SELECT message, count(*) FROM system_logs WHERE component = 'chaos' GROUP BY 1")
        return str(integrity), {int(text): rows for text, rows in counts if int(text) in commits}
