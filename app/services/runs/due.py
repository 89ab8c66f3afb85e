"""Queues what the calendar asks for: the next look at each account, and the installation's own chores."""

from datetime import timedelta

import sqlalchemy as sa

from app.database import database_now, own_transaction, retry_transient
from app.models import Account, AppIdentity, Run
from app.models.types import RunKind
from app.services.accounts.status import next_due
from app.services.runs.enqueue import enqueue
from app.services.runs.lease import update_one


def enqueue_due_accounts(*, interval_seconds: int, limit: int = 100) -> int:
    """Queue a discovery for each working account that is due, a verification for each other; returns how many.

    `next_due_at` is moved on at once, so that an account whose job never ends well is not queued without a pause, and
    two schedulers queue it once. The job sets it anew by what it found.
    """
    with own_transaction() as session:
        query = sa.select(Account.id).where(Account.next_due_at <= database_now(session))
        due = session.scalars(query.order_by(Account.next_due_at, Account.id).limit(limit)).all()
    return sum(_enqueue_account(account_pk, interval_seconds) for account_pk in due)


@retry_transient
def _enqueue_account(account_pk: int, interval_seconds: int) -> bool:
    with own_transaction() as session:
        now = database_now(session)
        # The account before the run, as jobs do.
        moved = update_one(
            session,
            sa.update(Account)
            .where(Account.id == account_pk, Account.next_due_at <= now)
            .values(next_due_at=next_due(now, interval_seconds), updated_at=Account.updated_at),
        )
        if not moved:
            return False
        account = session.get_one(Account, account_pk)
        kind = RunKind.DISCOVER_ACCOUNT if account.is_working else RunKind.VERIFY_ACCOUNT
        enqueue(kind, account=account, session=session)
        return True


@retry_transient
def enqueue_identity_check(*, every_seconds: int) -> bool:
    """Queue the look at who we are in AWS, if the last one is older than that."""
    with own_transaction() as session:
        identity = session.get(AppIdentity, 1)
        is_due = identity is None or identity.checked_at <= database_now(session) - timedelta(seconds=every_seconds)
        if is_due:
            enqueue(RunKind.CHECK_IDENTITY, session=session)
        return is_due


@retry_transient
def enqueue_pruning(*, every_seconds: int) -> bool:
    """Queue the deletion of what is old, if that was not done within that time."""
    with own_transaction() as session:
        query = sa.select(Run.created_at).where(Run.kind == RunKind.PRUNE).order_by(Run.id.desc()).limit(1)
        last = session.scalar(query)
        is_due = last is None or last <= database_now(session) - timedelta(seconds=every_seconds)
        if is_due:
            enqueue(RunKind.PRUNE, session=session)
        return is_due


@retry_transient
def enqueue_event_poll() -> bool:
    """Queue the job that empties the event queue, unless it is there; it queues itself again from then on."""
    with own_transaction() as session:
        is_due = session.scalar(sa.select(Run.id).where(Run.active_key == f"{RunKind.POLL_EVENTS.value}:all")) is None
        if is_due:
            enqueue(RunKind.POLL_EVENTS, session=session)
        return is_due
