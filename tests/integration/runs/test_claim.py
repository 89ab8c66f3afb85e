"""Who gets a run when many want it, and what becomes of one that nobody finishes; on all three databases."""

import signal
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import database_now, db
from app.errors import FaultCode, LeaseLostError
from app.models import Account, Run
from app.models.types import RunKind, RunState
from app.services.runs import MAX_ATTEMPTS, Lease, Outcome, claim, finish, hand_back, reap
from app.tasks.work import perform
from tests.fakes.worker import add_effect
from tests.integration.runs.conftest import Start, add_accounts, add_run, effects, end_lease, read_run, wait_for


def end(app: Flask, lease: Lease, outcome: Outcome | None = None) -> None:
    with app.app_context():
        finish(lease, outcome or Outcome.succeeded())
        db.session.commit()


def take(app: Flask, run_id: int, *, seconds: float = 60) -> Lease | None:
    with app.app_context():
        return claim(run_id, "test", seconds=seconds)


class TestClaiming:
    def test_it_gives_a_run_to_exactly_one_of_twenty_threads_in_two_processes(
        self, any_database: Flask, start: Start
    ) -> None:
        config = any_database.extensions["spotkeeper"]
        run_id = add_run(any_database, add_accounts(any_database)[0])
        racers = [start(config, "race", str(run_id)) for _ in range(2)]
        wait_for(lambda: all((config.instance_path / f"ready-{racer.pid}").exists() for racer in racers))
        (config.instance_path / f"go-{run_id}").touch()
        assert sorted(racer.communicate()[0].strip() for racer in racers) == ["0", "1"]
        assert read_run(any_database, run_id).attempt == 1

    def test_it_refuses_what_is_not_due_not_there_or_over(self, any_database: Flask) -> None:
        account, other = add_accounts(any_database, 2)
        later = add_run(any_database, account, in_seconds=60)
        over = add_run(any_database, other)
        lease = take(any_database, over)
        assert lease
        end(any_database, lease)
        assert [take(any_database, run_id) for run_id in (later, over, 1)] == [None, None, None]

    def test_it_lets_one_run_at_a_time_work_on_an_account_whatever_its_kind(self, any_database: Flask) -> None:
        account, other = add_accounts(any_database, 2)
        first = add_run(any_database, account, RunKind.VERIFY_ACCOUNT)
        second = add_run(any_database, account, RunKind.DISCOVER_ACCOUNT)
        elsewhere = add_run(any_database, other, RunKind.DISCOVER_ACCOUNT)
        lease = take(any_database, first)
        assert lease
        assert take(any_database, second) is None
        waiting = read_run(any_database, second)
        assert (waiting.state, waiting.attempt, waiting.token) == (RunState.QUEUED, 0, None)
        assert take(any_database, elsewhere)
        end(any_database, lease)
        assert take(any_database, second)

    def test_runs_of_few_accounts_never_overlap_and_all_end(
        self, any_database: Flask, handle: object, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        accounts = add_accounts(any_database, 2)
        kinds = [RunKind.VERIFY_ACCOUNT, RunKind.DISCOVER_ACCOUNT, RunKind.CHECK_IDENTITY, RunKind.PRUNE]
        run_ids = [add_run(any_database, account, kind) for account in accounts for kind in kinds]
        at_work: dict[int | None, int] = defaultdict(int)
        most: list[int] = []
        guard = threading.Lock()

        def job(lease: Lease) -> Outcome:
            with guard:
                at_work[lease.account_pk] += 1
                most.append(at_work[lease.account_pk])
            lease.report(1, 2, "half")
            account = db.session.get_one(Account, lease.account_pk)
            lease.hold()
            account.instance_count += 1
            lease.checkpoint()
            time.sleep(0.02)
            with guard:
                at_work[lease.account_pk] -= 1
            return Outcome.succeeded()

        handle(job)  # type: ignore[operator]

        def keep_trying(number: int) -> None:
            for _ in range(200):
                with any_database.app_context():
                    for run_id in run_ids[number:] + run_ids[:number]:
                        perform(run_id, worker=f"w{number}", lease_seconds=5)
                    states = db.session.scalars(sa.select(Run.state).where(Run.id.in_(run_ids))).all()
                    if all(state.is_over for state in states):
                        return
                time.sleep(0.01)

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(keep_trying, range(6)))
        runs = [read_run(any_database, run_id) for run_id in run_ids]
        assert [(run.state, run.attempt) for run in runs] == [(RunState.SUCCEEDED, 1)] * len(runs)
        assert max(most) == 1
        with any_database.app_context():
            assert [db.session.get_one(Account, pk).instance_count for pk in accounts] == [4, 4]


class TestALeaseThatEnds:
    def test_it_lets_another_take_over_and_refuses_what_the_first_writes(self, any_database: Flask) -> None:
        run_id = add_run(any_database, add_accounts(any_database)[0])
        late = take(any_database, run_id, seconds=0.05)
        time.sleep(0.1)
        with any_database.app_context():
            assert [wake.run_id for wake in reap()] == [run_id]
        heir = take(any_database, run_id)
        assert late
        assert heir
        assert heir.attempt == 2
        for refused in (
            late.hold,
            late.checkpoint,
            lambda: late.report(1, 2),
            lambda: finish(late, Outcome.succeeded()),
        ):
            with any_database.app_context(), pytest.raises(LeaseLostError):
                refused()
        assert late.is_canceled()
        assert not heir.is_canceled()
        end(any_database, heir)
        assert read_run(any_database, run_id).state == RunState.SUCCEEDED

    def test_it_is_refused_as_well_where_no_account_is_locked(self, any_database: Flask) -> None:
        run_id = add_run(any_database, kind=RunKind.PRUNE)
        late = take(any_database, run_id, seconds=0.05)
        time.sleep(0.1)
        assert late
        assert take(any_database, run_id)
        with any_database.app_context(), pytest.raises(LeaseLostError):
            late.hold()

    def test_it_does_not_end_while_the_job_is_at_work(self, any_database: Flask, handle: object) -> None:
        run_id = add_run(any_database, add_accounts(any_database)[0])
        late: list[object] = []

        def job(lease: Lease) -> Outcome:
            first = read_run(any_database, run_id).lease_until
            lease.seconds = 60  # so that a busy machine does not end the one that the heartbeat takes
            wait_for(lambda: read_run(any_database, run_id).lease_until > first + timedelta(seconds=30))
            wait_for(lambda: database_now() > first)
            late.extend(reap())
            db.session.rollback()
            lease.hold()
            return Outcome.succeeded()

        handle(job)  # type: ignore[operator]
        with any_database.app_context():
            perform(run_id, worker="test", lease_seconds=0.6)
        assert late == []
        assert read_run(any_database, run_id).state == RunState.SUCCEEDED

    def test_it_can_be_renewed_by_its_holder_as_long_as_nobody_took_it(self, any_database: Flask) -> None:
        run_id = add_run(any_database, add_accounts(any_database)[0])
        lease = take(any_database, run_id, seconds=0.05)
        assert lease
        time.sleep(0.1)
        lease.seconds = 60
        with any_database.app_context():
            lease.checkpoint()
            assert reap() == []
        assert take(any_database, run_id) is None

    def test_it_parks_a_run_that_its_workers_do_not_survive(self, any_database: Flask) -> None:
        account = add_accounts(any_database)[0]
        run_id = add_run(any_database, account)
        for _ in range(MAX_ATTEMPTS):
            assert take(any_database, run_id, seconds=0.02)
            time.sleep(0.04)
        assert take(any_database, run_id) is None
        parked = read_run(any_database, run_id)
        assert (parked.state, parked.error_code, parked.active_key) == (RunState.FAILED, FaultCode.INTERNAL, None)
        assert f"{MAX_ATTEMPTS} attempts" in parked.error_message
        assert take(any_database, add_run(any_database, account)), "The next run of the account is not held up"

    def test_it_fences_a_stopped_process_that_comes_back(
        self, any_database: Flask, start: Start, handle: object
    ) -> None:
        config = any_database.extensions["spotkeeper"]
        run_id = add_run(any_database, add_accounts(any_database)[0])
        go = config.instance_path / f"go-on-{run_id}"
        process = start(config, "once", str(run_id), JOB_UNTIL=str(go))
        wait_for(lambda: read_run(any_database, run_id).state == RunState.RUNNING)
        process.send_signal(signal.SIGSTOP)
        end_lease(any_database, run_id)
        with any_database.app_context():
            assert [wake.run_id for wake in reap()] == [run_id]

        def job(lease: Lease) -> Outcome:
            add_effect(lease)
            return Outcome.succeeded({"by": "the heir"})

        handle(job)  # type: ignore[operator]
        with any_database.app_context():
            assert perform(run_id, worker="heir", lease_seconds=60)
        go.touch()
        process.send_signal(signal.SIGCONT)
        assert "was canceled, handed back or taken over" in process.communicate(timeout=60)[0]
        assert effects(any_database) == [run_id]
        run = read_run(any_database, run_id)
        assert (run.state, run.attempt, run.summary) == (RunState.SUCCEEDED, 2, {"by": "the heir"})


class TestHandingBack:
    def test_it_queues_only_this_workers_runs_again_without_using_an_attempt(self, any_database: Flask) -> None:
        mine, others = (add_run(any_database, account) for account in add_accounts(any_database, 2))
        with any_database.app_context():
            lease = claim(mine, "stopping")
            assert lease
            assert claim(others, "other")
            assert hand_back("stopping") == 1
        with any_database.app_context(), pytest.raises(LeaseLostError):
            finish(lease, Outcome.succeeded())
        run = read_run(any_database, mine)
        assert (run.state, run.attempt) == (RunState.QUEUED, 0)
        assert read_run(any_database, others).state == RunState.RUNNING
        heir = take(any_database, mine)
        assert heir
        assert heir.attempt == 1
