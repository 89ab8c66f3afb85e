"""Few accounts never hold up the others: neither those that do not answer, nor the huge ones; on all databases."""

import heapq
import itertools
import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app import database
from app.database import database_now, db
from app.errors import AwsFault, FaultCode
from app.models import Account, Run, User
from app.models.types import AccountHealth, AccountStatus, RunKind, RunState
from app.services.accounts.status import next_due, record_fault, record_success, set_standing
from app.services.runs import Lease, Outcome, claim, enqueue, finish, reap
from app.services.runs.due import enqueue_due_accounts
from app.services.runs.fair_share import HUGE, PATIENCE
from tests.factories import make_account, make_user

SILENT: dict[str, Any] = {"health": AccountHealth.UNAVAILABLE, "stumbles": 3}
"""An account that did not answer the last three times."""

Runs = dict[str, list[int]]


def queue(app: Flask, *, by_person: bool = False, **sorts: int) -> Runs:
    """That many due runs of each sort: `silent`, `huge` or `well`."""
    values = {"silent": SILENT, "huge": {"instance_count": HUGE}, "well": {}}
    with app.app_context():
        owner = make_user()
        runs: Runs = {}
        for sort, count in sorts.items():
            accounts = [make_account(owner, status=AccountStatus.ACTIVE, **values[sort]) for _ in range(count)]
            asker = owner if by_person else None
            runs[sort] = [enqueue(RunKind.DISCOVER_ACCOUNT, account=a, requested_by=asker).id for a in accounts]
        db.session.commit()
    return runs


def take(app: Flask, run_id: int, *, worker: str = "test", processes: int = 0) -> Lease | None:
    with app.app_context():
        return claim(run_id, worker, processes=processes)


def take_all(app: Flask, run_ids: list[int], **options: Any) -> list[bool]:
    """One after the other; which of them were to be had."""
    return [take(app, run_id, **options) is not None for run_id in run_ids]


def end(app: Flask, lease: Lease | None) -> None:
    assert lease
    with app.app_context():
        finish(lease, Outcome.succeeded())
        db.session.commit()


class TestAccountsThatDoNotAnswer:
    def test_they_let_the_others_go_first(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=2, well=2)
        assert take(any_database, runs["silent"][0]) is None
        assert all(take_all(any_database, runs["well"]))
        assert take(any_database, runs["silent"][0])

    def test_one_that_waits_is_as_if_nobody_had_looked(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=1, well=1)
        assert take(any_database, runs["silent"][0]) is None
        with any_database.app_context():
            run = db.session.get_one(Run, runs["silent"][0])
            assert (run.state, run.attempt, run.token) == (RunState.QUEUED, 0, None)

    def test_they_have_a_quarter_of_the_work_under_way(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=4, well=10)
        assert all(take_all(any_database, runs["well"]))
        taken = [take(any_database, run_id) for run_id in runs["silent"]]
        assert [lease is not None for lease in taken] == [True, True, True, False], "3 of 13 runs, but not 4 of 14"
        end(any_database, taken[0])
        assert take(any_database, runs["silent"][3])

    def test_there_is_always_room_for_one(self, any_database: Flask) -> None:
        queue(any_database, well=5)
        with any_database.app_context():
            db.session.execute(sa.update(Run).values(due_at=database_now() + timedelta(hours=1)))
            db.session.commit()
        first, second = queue(any_database, silent=2)["silent"]
        assert take(any_database, first)
        assert take(any_database, second) is None

    def test_where_most_do_not_answer_the_trouble_is_ours_and_none_is_held_back(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=6)
        with any_database.app_context():
            db.session.execute(sa.update(Account).values(next_due_at=database_now()))
            db.session.commit()
        assert all(take_all(any_database, runs["silent"]))

    def test_a_person_is_never_held_back(self, any_database: Flask) -> None:
        queue(any_database, well=2)
        runs = queue(any_database, by_person=True, silent=3)
        assert all(take_all(any_database, runs["silent"]))

    def test_one_that_has_waited_long_goes_although_others_are_due(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=2, well=1)
        with any_database.app_context():
            long_ago = database_now() - PATIENCE
            db.session.execute(sa.update(Run).where(Run.id == runs["silent"][1]).values(due_at=long_ago))
            db.session.commit()
        assert take(any_database, runs["silent"][0]) is None
        assert take(any_database, runs["silent"][1])

    def test_others_that_wait_for_their_own_account_are_not_waited_for(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=1, well=1)
        assert take(any_database, runs["well"][0])
        with any_database.app_context():
            account = db.session.get_one(Run, runs["well"][0]).account_id
            enqueue(RunKind.VERIFY_ACCOUNT, account=db.session.get_one(Account, account))
            db.session.commit()
        assert take(any_database, runs["silent"][0])

    def test_those_who_ask_at_once_are_answered_one_after_the_other(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=12, well=7)
        assert all(take_all(any_database, runs["well"]))
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda run_id: take(any_database, run_id), runs["silent"]))
        assert sum(lease is not None for lease in taken) == 2

    def test_they_are_rung_for_last(self, any_database: Flask) -> None:
        runs = queue(any_database, silent=1, well=2)
        asked = queue(any_database, by_person=True, silent=1)
        with any_database.app_context():
            assert [wake.run_id for wake in reap()] == [*asked["silent"], *runs["well"], *runs["silent"]]


class TestHugeAccounts:
    def test_they_have_half_of_a_workers_processes(self, any_database: Flask) -> None:
        runs = queue(any_database, huge=4)["huge"]
        assert take_all(any_database, runs, worker="one", processes=4) == [True, True, False, False]
        assert take(any_database, runs[2], worker="other", processes=2)
        assert take(any_database, runs[3], worker="other", processes=2) is None

    def test_a_worker_with_one_process_reads_them_too(self, any_database: Flask) -> None:
        runs = queue(any_database, huge=2)["huge"]
        assert all(take_all(any_database, runs, worker="one", processes=1))

    def test_a_person_is_never_held_back(self, any_database: Flask) -> None:
        runs = queue(any_database, by_person=True, huge=3)["huge"]
        assert all(take_all(any_database, runs, worker="one", processes=2))


#: A thousand accounts and five workers (SCALE=5) take half a minute, and show the same.
WORKERS = int(os.environ.get("SCALE", "1"))
ACCOUNTS = 200 * WORKERS if WORKERS > 1 else 100
INTERVAL = 900
SECONDS = {True: 9.0, False: 2.0}
"""How long a job takes of an account that never answers, and of any other."""


class Installation:
    """Workers and a scheduler with a clock of their own; the ledger and the rules are the real ones."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch, dead: set[int], workers: int) -> None:
        self.app = app
        self.dead = dead
        self.now = 0.0  # seconds
        self.busy = {True: 0.0, False: 0.0}
        self.done: set[int] = set()
        self._monkeypatch = monkeypatch
        self._idle = list(range(workers))
        self._at_work: list[tuple[float, int, int, Lease]] = []
        self._messages: deque[int] = deque()
        self._rung: dict[int, float] = {}
        self._number = itertools.count()
        self._set_clock(0)

    def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        for tick in range(5 * int(self.now // 5), int(seconds), 5):
            while self._at_work and self._at_work[0][0] <= tick:
                ends_at, _, worker, lease = heapq.heappop(self._at_work)
                self._set_clock(ends_at)
                self._end(lease)
                self._idle.append(worker)
                self._begin()
            self._set_clock(tick)
            self._ring()
            self._begin()
            if until():
                return

    def _set_clock(self, seconds: float) -> None:
        self.now = seconds
        moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        self._monkeypatch.setitem(database._NOW, "sqlite", f"SELECT '{moment:%Y-%m-%d %H:%M:%S.%f}'")

    def _ring(self) -> None:
        with self.app.app_context():
            enqueue_due_accounts(interval_seconds=INTERVAL)
            waiting = [wake.run_id for wake in reap()]
        for run_id in waiting:
            if self.now - self._rung.get(run_id, -15) >= 15:
                self._rung[run_id] = self.now
                self._messages.append(run_id)

    def _begin(self) -> None:
        while self._idle and self._messages:
            with self.app.app_context():
                lease = claim(self._messages.popleft(), f"worker {self._idle[-1]}")
            if lease is not None:
                is_dead = lease.account_pk in self.dead
                self.busy[is_dead] += SECONDS[is_dead]
                ends_at = self.now + SECONDS[is_dead]
                heapq.heappush(self._at_work, (ends_at, next(self._number), self._idle.pop(), lease))

    def _end(self, lease: Lease) -> None:
        account_pk = lease.require_account()
        with self.app.app_context():
            account = db.session.get_one(Account, account_pk)
            if account_pk in self.dead:
                record_fault(account, AwsFault(FaultCode.UNREACHABLE))
                finish(lease, Outcome.failed(FaultCode.UNREACHABLE, "AWS did not answer in time."))
            else:
                record_success(account)
                set_standing(account, status=AccountStatus.ACTIVE, health=AccountHealth.OK, note="Read.")
                account.next_due_at = next_due(database_now(), INTERVAL)
                finish(lease, Outcome.succeeded())
                self.done.add(account_pk)
            db.session.commit()


@pytest.mark.parametrize("known", [False, True], ids=["silent since now", "silent for long"])
def test_all_accounts_are_due_at_once_and_one_in_twenty_never_answers(
    app: Flask, client1: User, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    with app.app_context():
        due = {"next_due_at": datetime(2026, 2, 28, tzinfo=UTC), "status": AccountStatus.ACTIVE}
        ids = [make_account(client1, **due).id for _ in range(ACCOUNTS)]
        dead = set(ids[::20])
        if known:
            db.session.execute(sa.update(Account).where(Account.id.in_(dead)).values(SILENT))
        db.session.commit()
    installation = Installation(app, monkeypatch, dead, WORKERS)
    installation.run(INTERVAL, until=lambda: installation.done == set(ids) - dead)
    assert installation.done == set(ids) - dead, "the healthy ones are all read within the interval"
    assert installation.busy[True] <= 0.25 * WORKERS * installation.now
    if WORKERS >= 4:  # with fewer, there is still room for one where nobody else needs it
        installation.run(INTERVAL)
        assert 0 < installation.busy[True] <= 0.25 * WORKERS * INTERVAL
