"""Discoveries that the operator of this installation asks for: of which accounts, and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.aws.formats import ACCOUNT_ID
from app.database import database_now, db
from app.errors import ConflictError, FaultCode, NotFoundError
from app.models import Account, Run
from app.models.types import RunKind, RunState
from app.services import runs, system_logs

#: How many runs are asked for in one statement.
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Request:
    """A discovery that was queued, or joined."""

    run_id: int
    account_pk: int
    account_id: str
    account_name: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a requested discovery is, or how it ended. `seconds` counts from its last begin."""

    request: Request
    state: RunState
    is_over: bool
    regions_done: int = 0
    regions_total: int = 0
    text: str = ""
    seconds: float | None = None
    error_code: str | None = None
    error_message: str = ""
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def is_partial(self) -> bool:
        """Whether a region that the account uses was not read."""
        return any(code != FaultCode.NOT_OPTED_IN for code in self.summary.get("unread", {}).values())

    def as_json(self) -> dict[str, Any]:
        """For scripts; counts are 0 where nothing was read."""
        counts = {
            name: self.summary.get(name, 0)
            for name in (
                "regions_read",
                "regions_enabled",
                "instances_seen",
                "instances_added",
                "instances_changed",
                "instances_vanished",
            )
        }
        return {
            "account_id": self.request.account_id,
            "account_name": self.request.account_name,
            "run_id": self.request.run_id,
            "state": self.state.value,
            **counts,
            "unread": self.summary.get("unread", {}),
            "seconds": self.seconds,
            "error_code": self.error_code,
            "error_message": self.error_message,
        }


def find_accounts(text: str) -> Sequence[Account]:
    """The one account that an operator means by an AWS account id or the id of its row.

    Several people may claim one AWS account; it is the one who has proved access.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is not connected, so there is nothing to discover.
    """
    is_aws_id = ACCOUNT_ID.fullmatch(text) is not None
    if not is_aws_id and not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise NotFoundError("Name an account by its AWS account id (12 digits) or the id of its row.")
    condition = Account.account_id == text if is_aws_id else Account.id == int(text)
    found = db.session.scalars(sa.select(Account).where(condition).order_by(Account.id)).all()
    if not found:
        raise NotFoundError(f"There is no account {text}.")
    working = [account for account in found if account.is_working]
    if not working:
        status = found[0].status.value
        raise ConflictError(f"Account {text} is not connected ({status}): it is discovered once AWS lets us in.")
    return working


def list_working_accounts() -> Sequence[Account]:
    """Every connected account, by AWS id."""
    found = db.session.scalars(sa.select(Account).order_by(Account.account_id, Account.id)).all()
    return [account for account in found if account.is_working]


def request_discoveries(accounts: Sequence[Account]) -> list[Request]:
    """Queue a discovery of each account, or join the one under way. Flushes."""
    requests = []
    for account in accounts:
        run = runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=account)
        system_logs.record("audit", f"Discovery of {account.account_id} requested from the shell", account=account)
        requests.append(Request(run.id, account.id, account.account_id, account.account_name))
    db.session.flush()
    return requests


def read_standings(requests: Sequence[Request]) -> list[Standing]:
    """How each stands now, in the same order. Leaves no transaction open."""
    now = database_now()
    found: dict[int, Any] = {}
    columns = (
        Run.id,
        Run.state,
        Run.progress_done,
        Run.progress_total,
        Run.progress_text,
        Run.summary,
        Run.started_at,
        Run.finished_at,
        Run.error_code,
        Run.error_message,
    )
    for start in range(0, len(requests), CHUNK):
        ids = [request.run_id for request in requests[start : start + CHUNK]]
        found |= {row.id: row for row in db.session.execute(sa.select(*columns).where(Run.id.in_(ids)))}
    db.session.rollback()
    return [_standing(request, found.get(request.run_id), now) for request in requests]


def _standing(request: Request, run: Any, now: Any) -> Standing:
    if run is None:
        gone = "The account was disconnected meanwhile."
        return Standing(request, RunState.CANCELED, True, error_message=gone)
    until = run.finished_at or now
    return Standing(
        request,
        run.state,
        run.state.is_over,
        regions_done=run.progress_done,
        regions_total=run.progress_total,
        text=run.progress_text,
        seconds=round(max((until - run.started_at).total_seconds(), 0), 3) if run.started_at else None,
        error_code=run.error_code.value if run.error_code else None,
        error_message=run.error_message,
        summary=run.summary or {},
    )
