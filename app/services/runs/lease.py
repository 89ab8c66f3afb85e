"""What a worker holds while it works on a run: the right to write, until the lease ends or is taken away."""

import threading
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult, Engine
from sqlalchemy.orm import Session

from app.database import database_now, db, retry_transient
from app.errors import LeaseLostError, NotFoundError
from app.models import AccountLock, Run
from app.models.types import RunKind, RunState


class Lease:
    """One claimed run. `attempt` counts from 1.

    `report` and `is_canceled` may be called from any thread, without an application context. They use their own
    short transaction: on SQLite call them, as everything that waits, with no transaction of the session open.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        run_id: int,
        token: str,
        kind: RunKind,
        account_pk: int | None,
        attempt: int,
        requested_by_id: int | None,
        seconds: float,
    ) -> None:
        self.run_id = run_id
        self.token = token
        self.kind = kind
        self.account_pk = account_pk
        self.attempt = attempt
        self.requested_by_id = requested_by_id
        self.seconds = seconds
        self._engine = engine
        self._lost = threading.Event()

    def require_account(self) -> int:
        """The primary key of the account that this job is about.

        Raises:
            NotFoundError: it is about none.
        """
        if self.account_pk is None:
            raise NotFoundError(f"Run {self.run_id} names no account")
        return self.account_pk

    def hold(self) -> None:
        """Renew in the current session's transaction, or refuse: whatever is committed with it was ours to write.

        From here until the commit nobody can take the run over, cancel it or hand it back: they wait for the row.

        Raises:
            LeaseLostError: the run is somebody else's now, over, or canceled. Roll back.
        """
        self.renew(db.session())

    def checkpoint(self) -> None:
        """Commit what the session holds, if the lease still stands; then no transaction is open, and one may wait.

        Raises:
            LeaseLostError: as `hold`; nothing was committed.
        """
        self.hold()
        db.session.commit()

    def report(self, done: int, total: int, text: str = "", *, summary: dict[str, Any] | None = None) -> None:
        """Show progress: `done` of `total` steps, a few words (200 characters are kept), and what the run's summary
        would say if it ended now.

        Raises:
            LeaseLostError: as `hold`; the job should end.
        """
        values = {} if summary is None else {"summary": summary}
        self._write(progress_done=max(done, 0), progress_total=max(total, 0), progress_text=text[:200], **values)

    def keep(self) -> None:
        """Renew in an own transaction; the heartbeat's work.

        Raises:
            LeaseLostError: as `hold`.
        """
        self._write()

    def is_canceled(self) -> bool:
        """Whether to stop: canceled, taken over, or handed back because this worker is told to end."""
        if not self._lost.is_set():
            with Session(self._engine) as session, session.begin():
                mine = session.scalar(
                    sa.select(Run.id).where(Run.id == self.run_id, Run.token == self.token, *self._running())
                )
            if mine is None:
                self._lost.set()
        return self._lost.is_set()

    def renew(self, session: Session, **values: Any) -> None:
        """Lengthen lease and account lock in the given session's transaction (with other columns of the run).

        Raises:
            LeaseLostError: as `hold`.
        """
        if self._lost.is_set():
            raise LeaseLostError(f"Run {self.run_id} is no longer ours")
        until = database_now(session) + timedelta(seconds=self.seconds)
        # Always the run first and the lock second, as claiming does: two orders would be a deadlock.
        held = update_one(
            session,
            sa.update(Run)
            .where(Run.id == self.run_id, Run.token == self.token, *self._running())
            .values(lease_until=until, **values),
        )
        if held and self.account_pk is not None:
            held = update_one(
                session,
                sa.update(AccountLock)
                .where(AccountLock.account_id == self.account_pk, AccountLock.token == self.token)
                .values(lease_until=until),
            )
        if not held:
            self._lost.set()
            raise LeaseLostError(f"Run {self.run_id} is no longer ours")

    @retry_transient
    def _write(self, **values: Any) -> None:
        with Session(self._engine) as session, session.begin():
            self.renew(session, **values)

    @staticmethod
    def _running() -> tuple[sa.ColumnElement[bool], ...]:
        return (Run.state == RunState.RUNNING,)


def update_one(session: Session, statement: sa.Update) -> bool:
    """Whether exactly one row was changed."""
    result = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(result, CursorResult)
    return result.rowcount == 1
