"""Queueing and joining, on all three databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import ConflictError, LeaseLostError, NotFoundError
from app.models import Account, Run, User
from app.models.types import Role, RunKind, RunState
from app.services.runs import (
    Outcome,
    cancel_run,
    claim,
    count_runs,
    enqueue,
    find_active_run,
    find_urgent_run,
    finish,
    get_run,
    list_runs,
    reap,
)
from app.services.runs.due import enqueue_due_accounts
from tests.factories import make_account, make_user
from tests.integration.runs.conftest import add_accounts, add_run, read_run


class TestEnqueueing:
    def test_it_makes_one_run_of_twenty_requests_at_once(self, any_database: Flask) -> None:
        account_pk = add_accounts(any_database)[0]

        def ask(_number: int) -> int:
            with any_database.app_context():
                run = enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, account_pk))
                db.session.commit()
                return run.id

        with ThreadPoolExecutor(10) as pool:
            ids = set(pool.map(ask, range(20)))
        assert len(ids) == 1
        with any_database.app_context():
            assert db.session.scalar(sa.select(sa.func.count()).select_from(Run)) == 1

    def test_it_leaves_the_callers_transaction_whole_when_it_joins(self, any_database: Flask) -> None:
        account_pk = add_accounts(any_database)[0]
        first = add_run(any_database, account_pk)
        with any_database.app_context():
            account = db.session.get_one(Account, account_pk)
            account.account_name = "Renamed"
            assert enqueue(RunKind.DISCOVER_ACCOUNT, account=account).id == first
            db.session.commit()
        with any_database.app_context():
            assert db.session.get_one(Account, account_pk).account_name == "Renamed"

    def test_it_takes_an_account_that_was_added_a_moment_ago(self, any_database: Flask) -> None:
        with any_database.app_context():
            account = make_account(make_user())
            run = enqueue(RunKind.VERIFY_ACCOUNT, account=account)
            db.session.commit()
            assert run.account_id == account.id

    def test_it_makes_a_new_run_once_the_last_is_over_and_another_for_another_kind(self, any_database: Flask) -> None:
        account = add_accounts(any_database)[0]
        first = add_run(any_database, account)
        assert add_run(any_database, account, RunKind.VERIFY_ACCOUNT) != first
        with any_database.app_context():
            lease = claim(first, "test")
            assert lease
            assert add_run(any_database, account) == first
            finish(lease, Outcome.succeeded())
            db.session.commit()
        assert add_run(any_database, account) != first

    def test_a_person_brings_forward_what_the_schedule_queued_for_later(self, any_database: Flask) -> None:
        account_pk = add_accounts(any_database)[0]
        scheduled = add_run(any_database, account_pk, in_seconds=600)
        with any_database.app_context():
            assert find_urgent_run() is None
            account = db.session.get_one(Account, account_pk)
            person = db.session.get_one(User, account.user_id)
            run = enqueue(RunKind.DISCOVER_ACCOUNT, account=account, requested_by=person)
            db.session.commit()
            assert (run.id, run.requested_by_id) == (scheduled, person.id)
            assert find_urgent_run() == scheduled
            assert [(wake.run_id, wake.is_interactive) for wake in reap()] == [(scheduled, True)]


class TestOutcomes:
    def test_again_waits_without_using_an_attempt_and_keeps_the_key(self, any_database: Flask) -> None:
        run_id = add_run(any_database, add_accounts(any_database)[0])
        with any_database.app_context():
            lease = claim(run_id, "test")
            assert lease
            finish(lease, Outcome.again(in_seconds=60, text="Waiting for AWS"))
            db.session.commit()
            assert claim(run_id, "test") is None
        run = read_run(any_database, run_id)
        assert (run.state, run.attempt, run.progress_text) == (RunState.QUEUED, 0, "Waiting for AWS")
        assert run.active_key == f"discover_account:{run.account_id}"

    def test_cancelling_ends_the_run_for_its_worker_and_frees_the_account(self, any_database: Flask) -> None:
        account_pk = add_accounts(any_database)[0]
        run_id = add_run(any_database, account_pk)
        with any_database.app_context():
            lease = claim(run_id, "test")
            assert lease
            owner = db.session.get_one(User, db.session.get_one(Account, account_pk).user_id)
            cancel_run(viewer=owner, run_id=run_id)
            db.session.commit()
            with pytest.raises(ConflictError, match="over already"):
                cancel_run(viewer=owner, run_id=run_id)
            db.session.rollback()
            assert lease.is_canceled()
            with pytest.raises(LeaseLostError):
                lease.hold()
            db.session.rollback()
            assert claim(add_run(any_database, account_pk), "test")
        assert read_run(any_database, run_id).state == RunState.CANCELED


class TestWhatIsDue:
    def test_it_is_queued_once_by_two_schedulers_and_moved_on(self, any_database: Flask) -> None:
        accounts = add_accounts(any_database, 3)
        with any_database.app_context():
            past = db.session.get_one(Account, accounts[0]).created_at
            db.session.execute(sa.update(Account).where(Account.id.in_(accounts[:2])).values(next_due_at=past))
            db.session.commit()

        def tick(_number: int) -> int:
            with any_database.app_context():
                return enqueue_due_accounts(interval_seconds=600)

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(tick, range(2))) == 2
        with any_database.app_context():
            runs = db.session.scalars(sa.select(Run).order_by(Run.id)).all()
            assert sorted((run.account_id, run.kind) for run in runs) == [
                (pk, RunKind.VERIFY_ACCOUNT) for pk in sorted(accounts[:2])
            ]
            assert all(db.session.get_one(Account, pk).next_due_at > past for pk in accounts[:2])


class TestReading:
    def test_a_client_sees_the_runs_of_own_accounts_and_admins_all(self, any_database: Flask) -> None:
        with any_database.app_context():
            client, other, admin = make_user(), make_user(), make_user(role=Role.ADMIN)
            mine, theirs = make_account(client), make_account(other)
            own = enqueue(RunKind.VERIFY_ACCOUNT, account=mine)
            foreign = enqueue(RunKind.VERIFY_ACCOUNT, account=theirs)
            house = enqueue(RunKind.PRUNE)
            db.session.commit()
            assert [run.id for run in list_runs(client)] == [own.id]
            assert {run.id for run in list_runs(admin)} == {own.id, foreign.id, house.id}
            assert [run.id for run in list_runs(admin, account=theirs, active_only=True)] == [foreign.id]
            assert count_runs(client)[RunState.QUEUED] == 1
            assert count_runs(admin)[RunState.QUEUED] == 3
            assert count_runs(admin)[RunState.FAILED] == 0
            assert get_run(own.id, viewer=client) is own
            for hidden in (foreign.id, house.id):
                with pytest.raises(NotFoundError):
                    get_run(hidden, viewer=client)
                with pytest.raises(NotFoundError):
                    cancel_run(viewer=client, run_id=hidden)

    def test_the_active_run_of_an_account_is_the_one_at_work(self, any_database: Flask) -> None:
        account_pk, idle = add_accounts(any_database, 2)
        add_run(any_database, account_pk, RunKind.VERIFY_ACCOUNT)
        at_work = add_run(any_database, account_pk, RunKind.DISCOVER_ACCOUNT)
        with any_database.app_context():
            assert claim(at_work, "test")
            active = find_active_run(db.session.get_one(Account, account_pk))
            assert active
            assert active.id == at_work
            assert find_active_run(db.session.get_one(Account, idle)) is None
