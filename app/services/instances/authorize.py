"""Authorizing instances, and taking that back: by whom, when and why."""

from collections.abc import Collection

import sqlalchemy as sa

from app.database import database_now, db
from app.errors import ForbiddenError, InvalidInputError, NotFoundError
from app.models import Account, Instance, User
from app.models.types import AuthStatus, LogLevel, Role
from app.services import system_logs
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
    result = db.session.execute(
        sa.update(Instance)
        .where(Instance.id.in_(wanted), Instance.auth_status != status)
        .values(
            auth_status=status,
            auth_reason=reason,
            auth_changed_at=database_now(),
            auth_changed_by_id=viewer.id,
        )
        .execution_options(synchronize_session=False)
    )
    changed = int(getattr(result, "rowcount", 0))
    system_logs.record(
        "audit",
        f"{changed} instances {status.value}",
        level=LogLevel.INFO,
        user=viewer,
        instances=wanted[:100],
        reason=reason,
    )
    return changed
