"""The nightly job: delete what is old, so that the database does not grow for ever."""

from datetime import timedelta

from flask import current_app

from app.config import Config
from app.database import database_now, db
from app.services.retention import prune_calls, prune_runs, prune_sessions
from app.services.runs import Lease, Outcome
from app.services.sign_in import prune_attempts
from app.services.system_logs import prune_logs

RUN_DAYS = 14
SESSION_DAYS = 7
ATTEMPT_DAYS = 1
CALL_DAYS = 7


def prune(lease: Lease) -> Outcome:
    """Delete old log lines, finished runs, ended sessions, forgotten sign-in tries and counts of calls."""
    config: Config = current_app.extensions["spotkeeper"]
    now = database_now()
    db.session.rollback()  # each step below has transactions of its own
    logs = prune_logs(older_than=now - timedelta(days=config.system_log_days))
    lease.report(1, 5, "System logs")
    runs = prune_runs(older_than=now - timedelta(days=RUN_DAYS))
    lease.report(2, 5, "Runs")
    sessions = prune_sessions(older_than=now - timedelta(days=SESSION_DAYS))
    lease.report(3, 5, "Sessions")
    calls = prune_calls(older_than=now - timedelta(days=CALL_DAYS))
    lease.report(4, 5, "Counts of calls")
    # Last, because it is part of the job's own last transaction: no report can be written while that is open.
    attempts = prune_attempts(older_than=now - timedelta(days=ATTEMPT_DAYS))
    done = {"logs": logs, "runs": runs, "sessions": sessions, "attempts": attempts, "calls": calls}
    return Outcome.succeeded(done)
