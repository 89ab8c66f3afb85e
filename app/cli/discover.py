"""`flask discover`: read accounts now, watch it, and tell a script how it went."""

import json
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, TextIO, cast

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from app.config import Config
from app.database import DATABASE_TROUBLE, db, expect_reads_only
from app.errors import SpotkeeperError
from app.models.types import RunState
from app.services.discovery.request import (
    Request,
    Standing,
    find_accounts,
    list_working_accounts,
    read_standings,
    request_discoveries,
)
from app.services.system_log_handler import flush_logs, only_warnings_to_stderr

logger = logging.getLogger(__name__)

#: Between two looks at the ledger, in seconds.
LOOK_EVERY = 0.25

#: The length of the bar in its own steps.
SCALE = 1000

#: With nothing begun after so many seconds, say what may be missing.
WORKERS_EXPECTED_WITHIN = 10.0


class Code(IntEnum):
    """What the command exits with."""

    ALL_READ = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    TIMED_OUT = 4
    INTERRUPTED = 130


@click.command("discover")
@click.argument("account", required=False)
@click.option("--all", "is_all", is_flag=True, help="Every connected account.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with what came of it.")
@click.option("--here", is_flag=True, help="Do the work in this process, without a worker.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=3600.0,
    show_default=True,
    help="Stop watching after so many seconds.",
)
@with_appcontext
def discover(account: str | None, is_all: bool, as_json: bool, here: bool, timeout: float) -> None:
    """Read the instances of ACCOUNT now: an AWS account id (12 digits), or the id of its row.

    The workers do it, and this command watches them; a discovery that is under way already is joined.

    \b
    Exits with
      0    every region of every account was read
      1    an account could not be read
      2    there is no such account, or it is not connected
      3    an account was read but for some regions
      4    it was not over within --timeout; the jobs stay queued
      130  Ctrl-C; the jobs stay queued
    Of several, 1 goes before 4, and 4 before 3.
    """
    if bool(account) == is_all:
        raise click.UsageError("Name one account, or say --all.")
    try:
        requests = request_discoveries(list_working_accounts() if is_all else find_accounts(account or ""))
    except SpotkeeperError as error:
        db.session.rollback()
        raise click.UsageError(str(error)) from error
    # Ringing comes with the commit: a worker may be quicker than `--here`, and is then watched instead.
    db.session.commit()
    helper = _Here(_app(), requests) if here else None
    watch = _Watch(requests, ends_at=time.monotonic() + timeout, stream=sys.stderr, expects_workers=not here)
    with only_warnings_to_stderr():
        code = _watch(watch, helper)
    if code is Code.INTERRUPTED or not all(standing.is_over for standing in watch.standings):
        left = sum(not standing.is_over for standing in watch.standings)
        click.echo(f"{left} of {len(requests)} discoveries stay queued; the workers go on with them.", err=True)
    _print(watch.standings, as_json=as_json, code=code)
    if helper and helper.is_waiting_for_aws:
        # Python would wait for them, and the jobs are no longer theirs.
        flush_logs(2)
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _watch(watch: "_Watch", helper: "_Here | None") -> Code:
    """Watch until it is over, the time is up, or somebody presses Ctrl-C; what is under way here is then given back."""
    code: Code | None = None
    try:
        if helper:
            helper.start()
        watch.to_the_end()
    except KeyboardInterrupt:
        code = Code.INTERRUPTED
        db.session.rollback()
    if helper and (code or not all(standing.is_over for standing in watch.standings)):
        helper.give_back()
    return code or _code(watch.standings)


def _code(standings: Sequence[Standing]) -> Code:
    if any(standing.is_over and standing.state is not RunState.SUCCEEDED for standing in standings):
        return Code.FAILED
    if any(not standing.is_over for standing in standings):
        return Code.TIMED_OUT
    return Code.PARTIAL if any(standing.is_partial for standing in standings) else Code.ALL_READ


class _Watch:
    """Follows the ledger, with a bar on a terminal and nothing elsewhere."""

    def __init__(self, requests: Sequence[Request], *, ends_at: float, stream: TextIO, expects_workers: bool) -> None:
        self.standings = [Standing(request, RunState.QUEUED, False) for request in requests]
        self._requests = requests
        self._ends_at = ends_at
        self._stream = stream
        self._expects_workers = expects_workers

    def to_the_end(self) -> None:
        """Until all are over, or the time is up."""
        began_at = time.monotonic()
        has_warned = not self._expects_workers
        text = ""
        with click.progressbar(
            range(SCALE),
            label="Discovering",
            file=self._stream,
            item_show_func=lambda _: text,
            show_eta=False,
            hidden=not self._stream.isatty(),
        ) as bar:
            while True:
                self._look()
                done, text = _progress(self.standings)
                bar.update(int(done * SCALE) - bar.pos, None)
                now = time.monotonic()
                if now >= self._ends_at or all(standing.is_over for standing in self.standings):
                    return
                waiting = all(standing.state is RunState.QUEUED for standing in self.standings)
                if not has_warned and waiting and now - began_at > WORKERS_EXPECTED_WITHIN:
                    has_warned = True
                    click.echo("\nNothing has begun yet. Is `flask worker` running? `--here` needs none.", err=True)
                time.sleep(min(LOOK_EVERY, max(self._ends_at - now, 0)))

    def _look(self) -> None:
        expect_reads_only(True)  # on SQLite the lock for writing belongs to those who work
        try:
            self.standings = read_standings(self._requests)
        except DATABASE_TROUBLE:
            # The workers wait for it, too; what was seen last is still the best there is to show.
            db.session.remove()
        finally:
            expect_reads_only(False)


def _progress(standings: Sequence[Standing]) -> tuple[float, str]:
    """How much is done, from 0 to 1, and in words."""
    if not standings:
        return 1.0, "no connected accounts"
    shares = [
        1.0 if one.is_over else one.regions_done / one.regions_total if one.regions_total else 0.0 for one in standings
    ]
    done = sum(one.regions_done for one in standings)
    total = sum(one.regions_total for one in standings)
    seen = sum(one.summary.get("instances_seen", 0) for one in standings)
    words = f"{done} of {total} regions, {seen:,} instances"
    if len(standings) > 1:
        words = f"{sum(one.is_over for one in standings)} of {len(standings)} accounts, {words}"
    return sum(shares) / len(standings), words


class _Here:
    """Does the jobs in a thread of this process, so that they can be watched, and given back."""

    def __init__(self, app: Flask, requests: Sequence[Request]) -> None:
        self._app = app
        self._left = [request.run_id for request in requests]
        self._worker = f"shell-{secrets.token_hex(4)}@{socket.gethostname()}"
        self._stopping = threading.Event()
        self._others = set(threading.enumerate())
        # No daemon, and neither are the threads that its jobs start: those are what an exit would wait for.
        self._thread = threading.Thread(target=self._work, name="discover-here", daemon=False)

    @property
    def is_waiting_for_aws(self) -> bool:
        """Whether threads of a job are left that nothing but AWS's answer ends."""
        return any(not thread.daemon for thread in set(threading.enumerate()) - self._others)

    def start(self) -> None:
        self._thread.start()

    def give_back(self) -> None:
        """Queue again what is under way: from here on its writes are refused."""
        from app.services.runs import hand_back

        self._stopping.set()
        hand_back(self._worker)
        self._thread.join(1)

    def _work(self) -> None:
        from app.tasks.work import perform

        config: Config = self._app.extensions["spotkeeper"]
        while self._left and not self._stopping.is_set():
            run_id = self._left.pop(0)
            did, is_over = False, False
            try:
                with self._app.app_context():
                    did = perform(run_id, worker=self._worker, lease_seconds=config.lease_seconds)
                    is_over = _is_over(run_id)
            except DATABASE_TROUBLE:
                logger.warning("The database does not answer; trying again")
            if not is_over:
                # Begun by somebody else, kept waiting by another job of its account, or to be tried again later.
                self._left.append(run_id)
                self._stopping.wait(0.0 if did else 0.5)


def _is_over(run_id: int) -> bool:
    return read_standings([Request(run_id, 0, "", "")])[0].is_over


def _print(standings: Sequence[Standing], *, as_json: bool, code: Code) -> None:
    if as_json:
        document: dict[str, Any] = {"exit_code": int(code), "accounts": [one.as_json() for one in standings]}
        click.echo(json.dumps(document, indent=2))
        return
    for standing in standings:
        click.echo(f"{standing.request.account_id} {standing.request.account_name}: {_words(standing)}")


def _words(standing: Standing) -> str:
    if not standing.is_over:
        return f"not over yet ({standing.state.value})"
    if standing.state is not RunState.SUCCEEDED:
        code = f" ({standing.error_code})" if standing.error_code else ""
        return f"{standing.state.value}{code}: {standing.error_message}".removesuffix(": ")
    facts = standing.summary
    words = (
        f"{facts.get('regions_read', 0)} of {facts.get('regions_enabled', 0)} regions, "
        f"{facts.get('instances_seen', 0):,} instances, {facts.get('instances_added', 0):,} new, "
        f"{facts.get('instances_changed', 0):,} changed, {facts.get('instances_vanished', 0):,} vanished "
        f"in {standing.seconds or 0:.1f} s"
    )
    unread = ", ".join(f"{region} {code}" for region, code in sorted(facts.get("unread", {}).items()))
    return f"{words}; not read: {unread}" if unread else words


def _app() -> Flask:
    return cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]
