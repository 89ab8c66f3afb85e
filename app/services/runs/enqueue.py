"""Queues a run, or joins the one of the same kind and account that is queued or running already."""

from datetime import timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bulk import own_insert
from app.database import database_now, db, new_id
from app.models import Account, Run, User
from app.models.types import RunKind, RunState
from app.services.runs.locks import ensure_lock
from app.services.runs.wakes import Wake, wake_after_commit


def enqueue(
    kind: RunKind,
    *,
    account: Account | None = None,
    requested_by: User | None = None,
    in_seconds: float = 0,
    session: Session | None = None,
) -> Run:
    """The active run of this kind for this account: a new one, or the one there is.

    A queued run that was due later is brought forward, and a person's request makes it a person's run. Nothing
    starts before the caller's transaction is committed. A running one is joined as it is: whoever changed what it
    works with (new credentials) cancels it first.
    """
    session = session or db.session()
    session.flush()  # the account may be as new as the run, and is referred to below
    key = f"{kind.value}:{account.id if account else 'all'}"
    now = database_now(session)
    due_at = now + timedelta(seconds=in_seconds)
    if account is not None:
        ensure_lock(session, account.id, now)
    requested_by_id = requested_by.id if requested_by else None
    is_new = False
    while True:
        run = _find(session, key)
        if run is None:
            is_new = True
            _insert(session, kind, key, due_at, account.id if account else None, requested_by_id)
            run = _find(session, key)
        if run is not None:
            break
        # The one that was in the way finished between the two statements: now there is room.
    if run.state == RunState.QUEUED and (is_new or _bring_forward(session, run, due_at, requested_by_id)):
        wake_after_commit(session, Wake(run.id, run.requested_by_id is not None))
    return run


def _find(session: Session, key: str) -> Run | None:
    query = sa.select(Run).where(Run.active_key == key).execution_options(populate_existing=True)
    return session.scalars(query).one_or_none()


def _insert(
    session: Session, kind: RunKind, key: str, due_at: Any, account_pk: int | None, user_id: int | None
) -> None:
    """INSERT unless the key is taken: one statement, because a violated constraint would end the caller's
    transaction on PostgreSQL."""
    table = cast(sa.Table, Run.__table__)
    values = {
        "id": new_id(),
        "kind": kind,
        "account_id": account_pk,
        "requested_by_id": user_id,
        "state": RunState.QUEUED,
        "active_key": key,
        "due_at": due_at,
    }
    insert = own_insert(session, table).values(values)
    if session.get_bind().dialect.name == "mysql":
        # Not INSERT IGNORE, which would turn every other fault into a warning as well.
        statement = insert.on_duplicate_key_update({"id": table.c.id})
    else:
        statement = insert.on_conflict_do_nothing(index_elements=["active_key"])
    session.execute(statement)


def _bring_forward(session: Session, run: Run, due_at: Any, requested_by_id: int | None) -> bool:
    """Make a queued run due no later than asked for, and a person's if a person asked; whether that changed it."""
    asks_more = run.due_at > due_at or (requested_by_id is not None and run.requested_by_id is None)
    if not asks_more:
        return False
    session.execute(
        sa.update(Run)
        .where(Run.id == run.id, Run.state == RunState.QUEUED)
        .values(
            due_at=min(run.due_at, due_at),
            requested_by_id=run.requested_by_id if run.requested_by_id is not None else requested_by_id,
        )
        .execution_options(synchronize_session=False)
    )
    session.refresh(run)
    return True
