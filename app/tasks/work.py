"""What a worker does when a message wakes it: claim a run, do it, write how it ended."""

import logging

from app.database import db, is_out_of_room
from app.errors import AwsFault, FaultCode, LeaseLostError, NoRoomError
from app.services import system_logs
from app.services.runs import MAX_ATTEMPTS, Heartbeat, Lease, Outcome, claim, find_urgent_run, finish
from app.tasks.handlers import find_handler

logger = logging.getLogger(__name__)


def answer(run_id: int, *, worker: str, lease_seconds: float, processes: int = 0) -> None:
    """Do the run that the message names, after the one that a person has been waiting for longest, if there is any.

    Brokers differ in whether one queue goes before another; the ledger does not.
    """
    urgent = find_urgent_run()
    db.session.rollback()
    if urgent is not None and urgent != run_id:
        perform(urgent, worker=worker, lease_seconds=lease_seconds, processes=processes)
    perform(run_id, worker=worker, lease_seconds=lease_seconds, processes=processes)


def perform(run_id: int, *, worker: str, lease_seconds: float, processes: int = 0) -> bool:
    """Claim and do one run; False when there was nothing to do (a message may come twice, too late or too early)."""
    lease = claim(run_id, worker, seconds=lease_seconds, processes=processes)
    if lease is None:
        return False
    # What the job logs is found under its account, and under the person who asked for it.
    system_logs.acting_account_id.set(lease.account_pk)
    system_logs.acting_user_id.set(lease.requested_by_id)
    logger.debug("Run %s (%s) begins, attempt %s", lease.run_id, lease.kind, lease.attempt)
    try:
        with Heartbeat(lease):
            try:
                _end(lease, _outcome(lease))
            except LeaseLostError:
                raise
            except Exception as error:
                db.session.rollback()
                logger.exception("Run %s (%s) broke on attempt %s", lease.run_id, lease.kind, lease.attempt)
                _end(lease, _broken(lease, error))
    except LeaseLostError:
        # Not ours to write any more, so nothing was.
        logger.info("Run %s (%s) was canceled, handed back or taken over", lease.run_id, lease.kind)
    except Exception:
        # The database is away. The lease will end, and somebody will try again.
        logger.exception("The end of run %s (%s) could not be written", lease.run_id, lease.kind)
    finally:
        db.session.remove()
        system_logs.acting_account_id.set(None)
        system_logs.acting_user_id.set(None)
    return True


def _outcome(lease: Lease) -> Outcome:
    try:
        return find_handler(lease.kind)(lease)
    except AwsFault as fault:
        db.session.rollback()
        return Outcome.failed(fault.code, str(fault))


def _end(lease: Lease, outcome: Outcome) -> None:
    """The handler's last writes and the run's end, in one commit."""
    finish(lease, outcome)
    db.session.commit()


def _broken(lease: Lease, error: Exception) -> Outcome:
    what = _what_broke(error)
    if lease.attempt >= MAX_ATTEMPTS:
        return Outcome.failed(FaultCode.INTERNAL, f"{what}, {lease.attempt} times; the system log has more.")
    return Outcome.broken(lease.attempt, f"{what}; trying again")


def _what_broke(error: Exception) -> str:
    if isinstance(error, NoRoomError):
        return str(error)
    if is_out_of_room(error):
        return "There is no room left on the disk of the database, or for its temporary files"
    # The type only: an exception's text may hold what nobody should read; the log, which is redacted, has more.
    return f"Something went wrong in Spotkeeper itself ({type(error).__name__})"
