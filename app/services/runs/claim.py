"""Claims a run for one worker: one conditional UPDATE, and the account's lock."""

import secrets
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.database import database_now, own_transaction, retry_transient
from app.errors import FaultCode
from app.models import Run
from app.models.types import RunState
from app.services.runs.fair_share import must_wait
from app.services.runs.lease import Lease, update_one
from app.services.runs.locks import take_lock

#: After so many claims a run is parked as failed: it may be what kills its workers.
MAX_ATTEMPTS = 5


def is_claimable(now: datetime) -> sa.ColumnElement[bool]:
    """Queued and due, or running without a sign of life until its lease ended."""
    return sa.or_(
        sa.and_(Run.state == RunState.QUEUED, Run.due_at <= now),
        sa.and_(Run.state == RunState.RUNNING, Run.lease_until < now),
    )


@retry_transient
def claim(run_id: int, worker: str, *, seconds: float = 60, processes: int = 0) -> Lease | None:
    """Take the run for `seconds` in an own transaction, or None: not due, not there, over, or somebody else's.

    A run whose account another live run holds stays as it was: the other's end rings for it, and so does the reaper.
    So does one of the schedule's that would take too many workers from others (`fair_share`); `processes` is how many
    runs this worker does at once (0: not known).
    """
    token = secrets.token_hex(16)
    with own_transaction() as session:
        now = database_now(session)
        if must_wait(session, run_id, now, worker=worker[:128], processes=processes):
            return None
        until = now + timedelta(seconds=seconds)
        claimed = update_one(
            session,
            sa.update(Run)
            .where(Run.id == run_id, is_claimable(now))
            .values(
                state=RunState.RUNNING,
                token=token,
                lease_until=until,
                attempt=Run.attempt + 1,
                worker=worker[:128],
                started_at=now,
                progress_done=0,
                progress_total=0,
                progress_text="",
            ),
        )
        if not claimed:
            return None
        run = session.get_one(Run, run_id)
        if run.attempt > MAX_ATTEMPTS:
            _park(run, now)
            return None
        if run.account_id is not None and not take_lock(session, run.account_id, token, now, until):
            _put_back(run)
            return None
        return Lease(
            session.get_bind().engine,
            run_id=run.id,
            token=token,
            kind=run.kind,
            account_pk=run.account_id,
            attempt=run.attempt,
            requested_by_id=run.requested_by_id,
            seconds=seconds,
        )


def _put_back(run: Run) -> None:
    """As if nobody had looked: waiting for one's turn is not an attempt."""
    run.state = RunState.QUEUED
    run.token = run.lease_until = run.started_at = None
    run.worker = ""
    run.attempt -= 1


def _park(run: Run, now: datetime) -> None:
    run.attempt = MAX_ATTEMPTS
    run.state = RunState.FAILED
    run.token = run.lease_until = run.active_key = None
    run.finished_at = now
    run.error_code = FaultCode.INTERNAL
    run.error_message = (
        f"Given up after {MAX_ATTEMPTS} attempts; the last worker to hold it was killed, for want of memory perhaps, "
        "or hung."
    )
