"""Keeps few accounts from taking the workers from all others: those that do not answer, and those that are huge.

Only the schedule's runs ever wait here; what a person asked for is never held back. Nothing is remembered but what
stands in the ledger and in `accounts`, so every worker comes to the same answer on its own.
See docs/decisions/0008-few-accounts-never-hold-the-others.md.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.models import Account, AccountLock, Run
from app.models.types import AccountHealth, RunState

#: A doubtful run goes before none that is due, unless it has waited for so long.
PATIENCE = timedelta(minutes=15)

#: An account with so many instances is huge: reading it takes tens of seconds, not one or two.
HUGE = 10_000

_is_scheduled = Run.requested_by_id.is_(None)
_account = sa.orm.aliased(Account)

#: We did not get through to its account the last time; likely it takes a worker's time until a time-out, and no more.
IS_DOUBTFUL = sa.and_(
    _is_scheduled,
    sa.exists().where(
        _account.id == Run.account_id, _account.stumbles > 0, _account.health == AccountHealth.UNAVAILABLE
    ),
)
IS_HUGE = sa.and_(_is_scheduled, sa.exists().where(_account.id == Run.account_id, _account.instance_count >= HUGE))


def must_wait(session: Session, run_id: int, now: datetime, *, worker: str, processes: int) -> bool:
    """Whether a run that could be claimed has to leave the worker to others, for the time being.

    `processes` is how many runs this worker does at once; 0 = unknown. Whoever asks about runs of one sort at the same
    time is answered one after the other, until their transactions end.
    """
    sorts = session.execute(sa.select(IS_DOUBTFUL, IS_HUGE).where(Run.id == run_id)).one_or_none()
    if sorts is None:
        return False
    is_doubtful, is_huge = sorts
    return (is_doubtful and _must_doubtful_wait(session, run_id, now)) or (
        is_huge and _must_huge_wait(session, now, worker, processes)
    )


def _must_doubtful_wait(session: Session, run_id: int, now: datetime) -> bool:
    """Others first; and a quarter of the runs under way at most, at least one.

    Where most accounts are in doubt, the trouble is ours, and there is hardly anybody to keep a worker for: then only
    the former holds, so that all of them heal as fast as the workers can.
    """
    _queue_up(session, IS_DOUBTFUL, now)
    due_at = session.scalar(sa.select(Run.due_at).where(Run.id == run_id))
    if due_at is None or (now - due_at < PATIENCE and _has_others_due(session, now)):
        return True
    running = _count(session, now)
    doubtful = _count(session, now, IS_DOUBTFUL)
    return doubtful >= max(1, (running + 1) // 4) and not _are_most_in_doubt(session)


def _must_huge_wait(session: Session, now: datetime, worker: str, processes: int) -> bool:
    """Half of this worker's processes at most, at least one: the others stay with the small ones."""
    if processes < 2:
        return False
    _queue_up(session, IS_HUGE, now)
    return _count(session, now, IS_HUGE, Run.worker == worker) >= processes // 2


def _queue_up(session: Session, sort: sa.ColumnElement[bool], now: datetime) -> None:
    """Let one at a time count runs of this sort, by a lock on the first that is queued and due.

    Not on one under way, whose job holds its row while it writes. Once we have the lock another may be first, because
    that one was claimed. (SQLite has one writer anyhow.)
    """
    held = None
    while True:
        first = session.scalar(
            sa.select(sa.func.min(Run.id)).where(Run.state == RunState.QUEUED, Run.due_at <= now, sort)
        )
        if first is None or first == held:
            return
        held = first
        session.execute(sa.select(Run.id).where(Run.id == first).with_for_update())


def _has_others_due(session: Session, now: datetime) -> bool:
    """Whether a run could begin now that is in no doubt and not huge (which may be held back itself)."""
    is_free = ~sa.exists().where(AccountLock.account_id == Run.account_id, AccountLock.lease_until > now)
    others = sa.select(Run.id).where(Run.state == RunState.QUEUED, Run.due_at <= now, ~IS_DOUBTFUL, ~IS_HUGE, is_free)
    return session.scalar(others.limit(1)) is not None


def _count(session: Session, now: datetime, *conditions: sa.ColumnElement[bool]) -> int:
    at_work = sa.select(sa.func.count()).where(Run.state == RunState.RUNNING, Run.lease_until >= now, *conditions)
    return session.scalar(at_work) or 0


def _are_most_in_doubt(session: Session) -> bool:
    in_doubt = sa.func.sum(sa.case((Account.health == AccountHealth.UNAVAILABLE, 1), else_=0))
    found = session.execute(sa.select(in_doubt, sa.func.count()).where(Account.next_due_at.is_not(None))).one()
    return bool(int(found[0] or 0) * 2 > found[1])
