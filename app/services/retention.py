"""What is deleted when it is old, apart from log lines: finished runs, sessions nobody can use any more, deleted
views, exports, changes of instances with the counts of their days, and counts of calls."""

from datetime import date, datetime

import sqlalchemy as sa

from app.database import CLOCKS_APART, first_id_at, own_transaction, retry_transient
from app.models import (
    Account,
    ApiCall,
    ChangeTally,
    Ec2Event,
    Export,
    InstanceChange,
    Run,
    SavedView,
    UserSession,
)
from app.models.mixins import Identified
from app.models.types import RunState
from app.services.instances.change_tallies import day_of

#: Rows a transaction: short enough that nobody waits for it.
BATCH = 500


def prune_runs(*, older_than: datetime) -> int:
    """Delete the runs that ended before then, in transactions of their own; returns how many."""
    is_over = Run.state.in_([state for state in RunState if state.is_over])
    return _delete(Run, is_over & (Run.finished_at < older_than))


def prune_sessions(*, older_than: datetime) -> int:
    """Delete the sessions that ended before then, in transactions of their own; returns how many."""
    return _delete(UserSession, UserSession.expires_at < older_than)


def prune_views(*, older_than: datetime) -> int:
    """Forget for good the views that were deleted before then, in transactions of their own; returns how many."""
    return _delete(SavedView, SavedView.deleted_at < older_than)


def prune_exports(*, older_than: datetime) -> int:
    """Forget the exports of before then, in transactions of their own; returns how many. The audit log has them."""
    return _delete(Export, Export.id < first_id_at(older_than))


def prune_changes(*, older_than: datetime) -> int:
    """Forget the changes of instances that were seen before then, in transactions of their own; returns how many.

    By their ids, which are made from the time: the table is large, and an index on its times would serve nothing else.
    The counts of the days go first, that of the moment's own day included: they are never of half a day.
    """
    _delete_days(day_of(older_than + CLOCKS_APART))
    return _delete(InstanceChange, InstanceChange.id < first_id_at(older_than))


@retry_transient
def _delete_days(last: date) -> None:
    with own_transaction() as session:
        is_old = ChangeTally.day <= last
        # Mostly there is nothing to lock.
        if session.scalar(sa.select(ChangeTally.day).where(is_old).limit(1)) is not None:
            session.execute(sa.delete(ChangeTally).where(is_old).execution_options(synchronize_session=False))


def prune_events(*, older_than: datetime) -> int:
    """Forget the events that came before then, in transactions of their own; returns how many. By their ids, too."""
    return _delete(Ec2Event, Ec2Event.id < first_id_at(older_than))


def prune_calls(*, older_than: datetime) -> int:
    """Forget the counts of calls of hours before then, one account a transaction; returns how many rows."""
    with own_transaction() as session:
        account_pks = session.scalars(sa.select(Account.id)).all()
    return sum(_delete_calls(account_pk, older_than) for account_pk in account_pks)


@retry_transient
def _delete_calls(account_pk: int, older_than: datetime) -> int:
    with own_transaction() as session:
        is_old = (ApiCall.account_id == account_pk) & (ApiCall.hour_at < older_than)
        # By the account, with which the key begins: the hour alone has no index. Mostly there is nothing to lock.
        count = session.scalar(sa.select(sa.func.count()).where(is_old)) or 0
        if count:
            session.execute(sa.delete(ApiCall).where(is_old).execution_options(synchronize_session=False))
        return count


def _delete(model: type[Identified], is_old: sa.ColumnElement[bool]) -> int:
    deleted = 0
    while count := _delete_batch(model, is_old):
        deleted += count
    return deleted


@retry_transient
def _delete_batch(model: type[Identified], is_old: sa.ColumnElement[bool]) -> int:
    # Two statements, because MariaDB cannot delete by a limited subquery of the same table.
    with own_transaction() as session:
        ids = session.scalars(sa.select(model.id).where(is_old).limit(BATCH)).all()
        if ids:
            session.execute(sa.delete(model).where(model.id.in_(ids)).execution_options(synchronize_session=False))
        return len(ids)
