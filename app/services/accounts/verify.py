"""Proving that an account is its owner's, and that we may read it."""

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import IntegrityError

from app.aws.meter import CallMeter
from app.database import database_now, db
from app.errors import NOT_THE_ACCOUNTS_FAULT, AwsFault, FaultCode
from app.models import Account, CredentialCandidate, Run, User
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod, RunKind
from app.services import runs
from app.services.accounts.candidates import adopt, find_open_candidate, refuse
from app.services.accounts.connection import Connection, expected_role_arn
from app.services.accounts.status import record_fault, record_success, set_standing
from app.services.runs import Lease, Outcome

if TYPE_CHECKING:
    from app.aws.identity import VerifiedConnection

#: A denial of a role that somebody has named is only waited through for so long: IAM is eventually consistent, a new
#: role or trust policy can be refused for about a minute, and a stack takes a few.
NEW_ROLE_PATIENCE = timedelta(minutes=10)
#: And of one that nobody has said to be there: that which the template would make, and those of a list, whose External
#: IDs were only made with it.
LOOKING_PATIENCE = timedelta(hours=1)


def patience_for(account: Account, candidate: CredentialCandidate | None = None) -> timedelta:
    """How long a role that is pending or proposed is asked for before AWS's denial is believed."""
    is_expected = candidate is not None or (account.role_arn is not None and account.batch_id is None)
    return NEW_ROLE_PATIENCE if is_expected else LOOKING_PATIENCE


def seconds_to_next_try(waited: timedelta, *, is_one_of_many: bool = False) -> float:
    """A sixth of the time waited so far, and from five seconds to half a minute.

    Ten times that for the accounts of a list: two hundred of them would keep the workers from all other work.
    """
    quickest, slowest = (60, 300) if is_one_of_many else (5, 30)
    return min(max(waited.total_seconds() / 6, quickest), slowest)


def prove_connection(connection: Connection, meter: CallMeter) -> "VerifiedConnection":
    """Ask AWS for every proof there is; no database in here.

    Raises:
        AwsFault: the first proof that failed.
    """
    from app.aws import identity  # boto3 stays out of the web process

    if connection.keys is not None:
        return identity.verify_keys(connection.keys, connection.aws_account_id, connection.region, meter=meter)
    return identity.verify_role(
        connection.role_arn, connection.external_id, connection.aws_account_id, connection.session_name, meter=meter
    )


def record_proof(lease: Lease, verified: "VerifiedConnection") -> Outcome:
    """Note a proved connection and have its instances discovered."""
    lease.hold()
    account = db.session.get_one(Account, lease.account_pk)
    try:
        # Inside: opening a savepoint flushes what was changed before it.
        with db.session.begin_nested():
            account.verified_account_id = account.account_id
    except IntegrityError:
        # Proved by two owners: the one who came first keeps it, and the other is not told whose it is.
        db.session.refresh(account)
        return record_refusal(lease, AwsFault(FaultCode.ACCOUNT_TAKEN))
    record_success(account)
    account.verified_at = account.next_due_at = database_now()
    account.partition = verified.identity.partition
    candidate, note = (
        find_open_candidate(account),
        "Verified: AWS let us in, and the account is the one that was named.",
    )
    if candidate is not None:
        adopt(account, candidate)
        note = "The new credentials passed their test and are used now; the old ones are erased."
    elif account.connection_method is ConnectionMethod.IAM_ROLE:
        account.role_arn = expected_role_arn(account)
    account.account_metadata = {**account.account_metadata, "caller_arn": verified.identity.arn}
    is_new = not account.is_working
    set_standing(
        account,
        status=AccountStatus.CONNECTED if is_new else account.status,
        health=AccountHealth.OK if is_new or account.health is not AccountHealth.PARTIAL else account.health,
        note=note,
        actor=db.session.get(User, lease.requested_by_id) if candidate is not None and lease.requested_by_id else None,
    )
    runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=account)
    return Outcome.succeeded({"caller_arn": verified.identity.arn})


def record_refusal(lease: Lease, fault: AwsFault) -> Outcome:
    """Note a proof that failed; a role too young to be known yet is asked for again, not called failed."""
    lease.hold()
    account = db.session.get_one(Account, lease.account_pk)
    candidate = find_open_candidate(account) if lease.kind is RunKind.VERIFY_ACCOUNT else None
    if candidate is not None:
        return _judge_candidate(lease, account, candidate, fault)
    if is_waiting_for_role(account, fault):
        return _wait_for_role(lease, account, fault)
    if account.connection_method is ConnectionMethod.IAM_ROLE and fault.code is FaultCode.EXTERNAL_ID_NOT_ENFORCED:
        account.role_arn = expected_role_arn(account)  # it is there, so it need not be named
    record_fault(account, fault)
    return Outcome.failed(fault.code, str(fault))


def is_waiting_for_role(account: Account, fault: AwsFault) -> bool:
    """Whether a denial may only mean that the role has just been made, or not yet."""
    return (
        fault.code is FaultCode.ACCESS_DENIED
        and account.connection_method is ConnectionMethod.IAM_ROLE
        and account.status is AccountStatus.PENDING
    )


def _judge_candidate(lease: Lease, account: Account, candidate: CredentialCandidate, fault: AwsFault) -> Outcome:
    """Wait where the fault may pass by itself (a new role, our own trouble); else refuse what is proposed."""
    may_pass = fault.code in NOT_THE_ACCOUNTS_FAULT - {FaultCode.UNREADABLE_SECRET} or (
        fault.code is FaultCode.ACCESS_DENIED and candidate.connection_method is ConnectionMethod.IAM_ROLE
    )
    again = _again(lease, account, patience_for(account, candidate), "Waiting for AWS") if may_pass else None
    if again is not None:
        return again
    refuse(account, candidate, fault)
    return Outcome.failed(fault.code, str(fault))


def _again(lease: Lease, account: Account, patience: timedelta, text: str) -> Outcome | None:
    """The next try; None where the patience is at its end."""
    run = db.session.get_one(Run, lease.run_id)
    waited = database_now() - run.created_at
    if waited >= patience:
        return None
    tries = {"tries": run.summary.get("tries", 0) + 1}
    seconds = seconds_to_next_try(waited, is_one_of_many=account.batch_id is not None)
    return Outcome.again(in_seconds=seconds, text=text, summary=tries)


def _wait_for_role(lease: Lease, account: Account, fault: AwsFault) -> Outcome:
    text = "Waiting for AWS" if account.role_arn else "Looking for the role"
    again = _again(lease, account, patience_for(account), text)
    if again is not None:
        account.last_tried_at = database_now()
        return again
    if account.role_arn:
        record_fault(account, fault)
    else:
        # Nobody said that there is one: nothing failed, and nothing is tried again by itself.
        account.last_tried_at, account.next_due_at = database_now(), None
    return Outcome.failed(fault.code, str(fault))
