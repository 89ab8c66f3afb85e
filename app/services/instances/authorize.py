"""Authorizing instances, and taking that back: by whom, when and why."""

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from app.columns import UtcDateTime
from app.database import database_now, db
from app.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.models import Account, Instance, User
from app.models.types import AuthStatus, LogLevel, Role
from app.services import system_logs
from app.services.instances.tallies import refresh_tallies
from app.services.scope import visible_accounts

MAX_AT_ONCE = 1000
MAX_REASON = 500


def set_auth_status(viewer: User, instance_pks: Collection[int], status: AuthStatus, *, reason: str) -> int:
    """Authorize the instances, or no longer; all of them or, if one is not the viewer's to see, none.

    Returns:
        How many changed; those that had the status already keep who gave it, and why.

    Raises:
        ForbiddenError: the viewer is no admin.
        InvalidInputError: nothing was selected, too much, or no reason given.
        NotFoundError: one of them does not exist, or is not the viewer's to see.
    """
    if not viewer.can(Role.ADMIN):
        raise ForbiddenError("Only admins authorize instances.")
    reason = reason.strip()
    if not instance_pks:
        raise InvalidInputError("Select at least one instance.", field="ids")
    if len(instance_pks) > MAX_AT_ONCE:
        raise InvalidInputError(f"Select at most {MAX_AT_ONCE:,} instances at once.", field="ids")
    if not reason:
        raise InvalidInputError("Say why: whoever looks at this later will want to know.", field="reason")
    if len(reason) > MAX_REASON:
        raise InvalidInputError(f"The reason has at most {MAX_REASON} characters.", field="reason")

    wanted = sorted(set(instance_pks))
    visible = db.session.scalars(
        sa.select(Instance.id)
        .join(Account, Account.id == Instance.account_id)
        .where(Instance.id.in_(wanted), visible_accounts(viewer))
    ).all()
    if len(visible) != len(wanted):
        raise NotFoundError("There is no such instance.")
    return _change(viewer, wanted, status, reason)


def find_last_change(viewer: User) -> datetime | None:
    """When the viewer last authorized anything, or took it back: the mark that all instances of that act carry."""
    return db.session.scalar(
        sa.select(sa.func.max(Instance.auth_changed_at, type_=UtcDateTime())).where(
            Instance.auth_changed_by_id == viewer.id
        )
    )


def undo_change(viewer: User, changed_at: datetime) -> int:
    """Turn round what the viewer did at that moment, where nobody has changed it since.

    Returns:
        How many changed.

    Raises:
        ForbiddenError: the viewer is no admin.
        ConflictError: nothing of that act stands any more.
    """
    if not viewer.can(Role.ADMIN):
        raise ForbiddenError("Only admins authorize instances.")
    of_that_act = sa.and_(Instance.auth_changed_by_id == viewer.id, Instance.auth_changed_at == changed_at)
    rows = db.session.execute(sa.select(Instance.id, Instance.auth_status).where(of_that_act)).all()
    if not rows:
        raise ConflictError("Somebody has changed it since, so there is nothing to undo.")
    done = rows[0].auth_status
    opposite = AuthStatus.UNAUTHORIZED if done is AuthStatus.AUTHORIZED else AuthStatus.AUTHORIZED
    return _change(viewer, [row.id for row in rows], opposite, f"Undone: {done.value} by mistake")


def record_refusal(viewer: User, instance_pks: Collection[int]) -> None:
    """Note that somebody named instances that are not there, or not theirs."""
    system_logs.record(
        "audit",
        "refused to authorize instances that are not there",
        level=LogLevel.WARNING,
        user=viewer,
        instances=sorted(instance_pks),
    )


def _change(viewer: User, instance_pks: Sequence[int], status: AuthStatus, reason: str) -> int:
    # The accounts first, as discoveries and events do: two orders would be a deadlock.
    owners = sa.select(Instance.account_id).where(Instance.id.in_(instance_pks))
    accounts = db.session.scalars(
        sa.select(Account.id).where(Account.id.in_(owners)).order_by(Account.id).with_for_update()
    ).all()
    result = db.session.execute(
        sa.update(Instance)
        .where(Instance.id.in_(instance_pks), Instance.auth_status != status)
        .values(
            auth_status=status,
            auth_reason=reason,
            auth_changed_at=database_now(),
            auth_changed_by_id=viewer.id,
        )
        .execution_options(synchronize_session=False)
    )
    for account_pk in accounts:
        refresh_tallies(account_pk)
    changed = int(getattr(result, "rowcount", 0))
    system_logs.record(
        "audit",
        f"instances {status.value}: {changed} of {len(instance_pks)} named",
        level=LogLevel.INFO,
        user=viewer,
        reason=reason,
        instances=list(instance_pks),
    )
    return changed
