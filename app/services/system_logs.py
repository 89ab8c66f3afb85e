"""The application's log as stored: auditing an act, forgetting what is old. The writing of log lines is in
`system_log_handler`, the reading in `log_search`."""

from contextvars import ContextVar
from datetime import datetime

import sqlalchemy as sa

from app.database import db, own_transaction
from app.models.account import Account
from app.models.system_log import SystemLog
from app.models.types import LogLevel
from app.models.user import User
from app.services.redaction import redact_details, redact_text

#: What is under way in this request or job; log lines and audit rows carry it without being told.
request_id: ContextVar[str] = ContextVar("request_id", default="")
acting_user_id: ContextVar[int | None] = ContextVar("acting_user_id", default=None)
acting_account_id: ContextVar[int | None] = ContextVar("acting_account_id", default=None)

REQUEST_ID_LENGTH = 36
COMPONENT_LENGTH = 64


def record(
    component: str,
    message: str,
    *,
    level: LogLevel = LogLevel.INFO,
    user: User | None = None,
    account: Account | None = None,
    **details: object,
) -> SystemLog:
    """Add an audit row to the current transaction: the act and its row are kept together, or neither.

    Without `user` or `account` the row names those of the request or job under way. What looks like a secret is masked.
    """
    row = SystemLog(
        component=component[:COMPONENT_LENGTH],
        level=level,
        message=redact_text(message),
        details=redact_details(details),
        user_id=user.id if user is not None else acting_user_id.get(),
        account_id=account.id if account is not None else acting_account_id.get(),
        request_id=request_id.get()[:REQUEST_ID_LENGTH],
    )
    db.session.add(row)
    return row


def prune_logs(*, older_than: datetime, batch_size: int = 1000) -> int:
    """Delete the lines logged before that moment and return how many; each batch is a short transaction of its own.

    Call it outside a transaction: on SQLite one that has written would keep this one waiting.
    """
    deleted = 0
    old = (
        sa.select(SystemLog.id)
        .where(SystemLog.logged_at < older_than)
        .order_by(SystemLog.logged_at, SystemLog.id)
        .limit(batch_size)
    )
    while True:
        with own_transaction() as session:
            ids = session.scalars(old).all()
            if ids:
                session.execute(sa.delete(SystemLog).where(SystemLog.id.in_(ids)))
        deleted += len(ids)
        if len(ids) < batch_size:
            return deleted
