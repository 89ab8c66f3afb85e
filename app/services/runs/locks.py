"""The one lock of each account: who holds it works there, whatever the kind of run.

The row stays once it is made, and being free means that its lease has ended: deleting and inserting one key from many
sides is what deadlocks on MariaDB. There an INSERT also locks the account's own row (for its foreign key), so it is
made when the first run is queued, never while another run is at work.
"""

from datetime import datetime
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bulk import own_insert
from app.models import AccountLock, Run
from app.models.types import RunState
from app.services.runs.lease import update_one
from app.services.runs.wakes import Wake, wake_after_commit


def ensure_lock(session: Session, account_pk: int, now: datetime) -> None:
    """Make the account's lock, free, if there is none."""
    if session.scalar(sa.select(AccountLock.account_id).where(AccountLock.account_id == account_pk)) is not None:
        return
    table = cast(sa.Table, AccountLock.__table__)
    values = {"account_id": account_pk, "token": "", "lease_until": now}
    insert = own_insert(session, table).values(values)
    if session.get_bind().dialect.name == "mysql":
        session.execute(insert.on_duplicate_key_update({"token": table.c.token}))
    else:
        session.execute(insert.on_conflict_do_nothing())


def take_lock(session: Session, account_pk: int, token: str, now: datetime, until: datetime) -> bool:
    """Take the account until then; False when another run holds it."""
    ensure_lock(session, account_pk, now)
    return update_one(
        session,
        sa.update(AccountLock)
        .where(AccountLock.account_id == account_pk, AccountLock.lease_until <= now)
        .values(token=token, lease_until=until),
    )


def release_lock(session: Session, account_pk: int, token: str, now: datetime) -> None:
    """Free the account if the token still holds it, and ring for the runs that waited."""
    update_one(
        session,
        sa.update(AccountLock)
        .where(AccountLock.account_id == account_pk, AccountLock.token == token)
        .values(lease_until=now),
    )
    waiting = sa.select(Run.id, Run.requested_by_id).where(
        Run.account_id == account_pk, Run.state == RunState.QUEUED, Run.due_at <= now
    )
    for run_id, requested_by_id in session.execute(waiting):
        wake_after_commit(session, Wake(run_id, requested_by_id is not None))
