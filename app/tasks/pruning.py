"""The nightly job: delete what is old, so that the database does not grow for ever."""

from collections.abc import Callable
from datetime import timedelta

from flask import current_app

from app.config import Config
from app.database import database_now, db
from app.services.retention import (
    prune_calls,
    prune_changes,
    prune_events,
    prune_exports,
    prune_runs,
    prune_sessions,
    prune_views,
)
from app.services.runs import Lease, Outcome
from app.services.sign_in import prune_attempts
from app.services.system_logs import prune_logs

RUN_DAYS = 14
SESSION_DAYS = 7
ATTEMPT_DAYS = 1
CALL_DAYS = 7
VIEW_DAYS = 1
EXPORT_DAYS = 30


def prune(lease: Lease) -> Outcome:
    """Delete what is old; each step has transactions of its own, but for the last."""
    config: Config = current_app.extensions["spotkeeper"]
    now = database_now()
    db.session.rollback()
    steps: dict[str, tuple[Callable[..., int], int]] = {
        "logs": (prune_logs, config.system_log_days),
        "changes": (prune_changes, config.history_days),
        "events": (prune_events, config.event_days),
        "runs": (prune_runs, RUN_DAYS),
        "sessions": (prune_sessions, SESSION_DAYS),
        "views": (prune_views, VIEW_DAYS),
        "exports": (prune_exports, EXPORT_DAYS),
        "calls": (prune_calls, CALL_DAYS),
        # Last, because it is part of the job's own transaction: no report can be written while that is open.
        "attempts": (prune_attempts, ATTEMPT_DAYS),
    }
    deleted = {}
    for done, (name, (prune_older, days)) in enumerate(steps.items()):
        lease.report(done, len(steps), name)
        deleted[name] = prune_older(older_than=now - timedelta(days=days))
    return Outcome.succeeded(deleted)
