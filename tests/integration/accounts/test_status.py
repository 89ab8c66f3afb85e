"""What a fault makes of an account: one line for every code, tried on an account of every status."""

from datetime import timedelta
from itertools import pairwise

import pytest
from flask import Flask

from app.database import database_now, db
from app.errors import AwsFault, FaultCode
from app.models import Account, AccountEvent, User
from app.models.types import AccountHealth, AccountStatus
from app.services.accounts.status import record_fault, record_success, retry_delay
from tests.factories import make_account

PENDING, CONNECTED, ACTIVE, FAILED = AccountStatus

#: What becomes of a pending, a connected, an active and a failed account at the first fault of the kind.
UNTOUCHED = (PENDING, CONNECTED, ACTIVE, FAILED)
FAILS_UNLESS_WORKING = (FAILED, CONNECTED, ACTIVE, FAILED)
FAILS = (FAILED, FAILED, FAILED, FAILED)

OURS = AccountHealth.UNAVAILABLE
THEIRS = AccountHealth.REFUSED

VERDICTS = {
    FaultCode.ACCESS_DENIED: (FAILS_UNLESS_WORKING, THEIRS),
    FaultCode.EXTERNAL_ID_NOT_ENFORCED: (FAILS, THEIRS),
    FaultCode.ACCOUNT_MISMATCH: (FAILS, THEIRS),
    FaultCode.ACCOUNT_TAKEN: (FAILS, THEIRS),
    FaultCode.INVALID_ACCESS_KEY: (FAILS, THEIRS),
    FaultCode.BAD_SECRET_KEY: (FAILS, THEIRS),
    FaultCode.EXPIRED_CREDENTIALS: (FAILS_UNLESS_WORKING, THEIRS),
    FaultCode.ROOT_CREDENTIALS: (FAILS, THEIRS),
    FaultCode.TEMPORARY_CREDENTIALS: (FAILS, THEIRS),
    FaultCode.UNREADABLE_SECRET: (UNTOUCHED, OURS),
    # AWS let us in, and then did not let us read.
    FaultCode.DENIED_IAM: (UNTOUCHED, THEIRS),
    FaultCode.DENIED_SCP: (UNTOUCHED, THEIRS),
    FaultCode.NOT_OPTED_IN: (UNTOUCHED, THEIRS),
    # Our network, our identity, our clock, AWS's day.
    FaultCode.THROTTLED: (UNTOUCHED, OURS),
    FaultCode.MALFORMED: (UNTOUCHED, OURS),
    FaultCode.UNREACHABLE: (UNTOUCHED, OURS),
    FaultCode.AWS_ERROR: (UNTOUCHED, OURS),
    FaultCode.CLOCK_SKEW: (UNTOUCHED, OURS),
    FaultCode.NO_APP_IDENTITY: (UNTOUCHED, OURS),
    FaultCode.LEASE_LOST: (UNTOUCHED, OURS),
    FaultCode.INTERNAL: (UNTOUCHED, OURS),
}

#: Refusals of our identity are counted, and at the third in a row a working account fails; all else only postpones.
IDENTITY = {code for code, (becomes, _) in VERDICTS.items() if becomes is not UNTOUCHED}


class TestVerdicts:
    def test_every_code_has_one(self) -> None:
        assert set(VERDICTS) == set(FaultCode)

    @pytest.mark.parametrize("code", FaultCode)
    def test_a_fault_changes_what_it_may_and_nothing_else(self, app: Flask, client1: User, code: FaultCode) -> None:
        becomes, health = VERDICTS[code]
        with app.app_context():
            for before, after in zip(AccountStatus, becomes, strict=True):
                account = make_account(client1, status=before, role_arn="arn:aws:iam::111100000000:role/Spotkeeper")
                record_fault(account, AwsFault(code, "in AWS's words"))
                assert (account.status, account.health) == (after, health), f"{code} on a {before} account"
                assert (account.error_code, account.error_message) == (code, "in AWS's words")
                assert (account.refusals, account.stumbles) == ((1, 0) if code in IDENTITY else (0, 1))
                assert account.next_due_at is not None, "it is tried again, and heals by itself"

    @pytest.mark.parametrize("code", [code for code in FaultCode if code not in IDENTITY])
    def test_however_often_it_comes_back_the_status_stays(self, app: Flask, client1: User, code: FaultCode) -> None:
        with app.app_context():
            account = make_account(client1, status=ACTIVE)
            for _ in range(5):
                record_fault(account, AwsFault(code))
            assert (account.status, account.refusals) == (ACTIVE, 0)

    def test_the_third_refusal_in_a_row_fails_a_working_account(self, app: Flask, client1: User) -> None:
        with app.app_context():
            account = make_account(client1, status=ACTIVE)
            states = []
            for code in (FaultCode.ACCESS_DENIED, FaultCode.UNREACHABLE, *[FaultCode.ACCESS_DENIED] * 2):
                record_fault(account, AwsFault(code))
                states.append(account.status)
            assert states == [ACTIVE, ACTIVE, ACTIVE, FAILED], "our own trouble in between counts for nothing"

    def test_it_is_told_once_and_not_at_every_try(self, app: Flask, client1: User) -> None:
        with app.app_context():
            account = make_account(client1, status=ACTIVE)
            for _ in range(4):
                record_fault(account, AwsFault(FaultCode.UNREACHABLE))
            assert db.session.query(AccountEvent).count() == 1


class TestBackingOff:
    @pytest.mark.parametrize("code", [FaultCode.UNREACHABLE, FaultCode.ACCESS_DENIED, FaultCode.DENIED_IAM])
    def test_the_waits_grow_to_an_hour(self, app: Flask, client1: User, code: FaultCode) -> None:
        with app.app_context():
            account = make_account(client1, status=ACTIVE)
            for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
                record_fault(account, AwsFault(code))
                assert minutes <= wait_of(account) / timedelta(minutes=1) <= minutes * 1.25 + 0.1

    def test_a_success_makes_them_short_again(self, app: Flask, client1: User) -> None:
        with app.app_context():
            account = make_account(client1, status=ACTIVE, refusals=2, stumbles=6)
            record_success(account)
            assert (account.refusals, account.stumbles) == (0, 0)
            record_fault(account, AwsFault(FaultCode.UNREACHABLE))
            assert wait_of(account) < timedelta(minutes=2)

    def test_a_refusal_is_an_answer_so_silence_is_forgotten(self, app: Flask, client1: User) -> None:
        with app.app_context():
            account = make_account(client1, status=ACTIVE, stumbles=6)
            record_fault(account, AwsFault(FaultCode.ACCESS_DENIED))
            assert (account.refusals, account.stumbles) == (1, 0)
            assert wait_of(account) < timedelta(minutes=2)

    def test_accounts_that_failed_together_do_not_stay_in_step(self) -> None:
        waits = sorted(retry_delay(7) for _ in range(50))
        assert waits[-1] - waits[0] > timedelta(minutes=5)
        assert all(shorter < longer for shorter, longer in pairwise(waits))


def wait_of(account: Account) -> timedelta:
    assert account.next_due_at
    return account.next_due_at - database_now()
