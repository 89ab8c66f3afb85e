"""Authorizing instances, and taking that back: by whom, when and why."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.columns import UtcDateTime
from app.database import database_now, db
from app.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.models import Account, Instance, User
from app.models.types import AuthSource, AuthStatus, ChangeKind, LogLevel, Role
from app.services import system_logs
from app.services.instances.address import ListAddress
from app.services.instances.filters import InstanceFilters
from app.services.instances.history import note_changes
from app.services.instances.tallies import refresh_tallies
from app.services.instances.ways import count_instances, gather
from app.services.paging import Count
from app.services.rules.decide import DECIDED_BY_RULES
from app.services.rules.stored import decide_stored
from app.services.scope import visible_accounts

MAX_AT_ONCE = 1000
MAX_REASON = 500

#: So many of a list are changed in one transaction; more would hold the accounts for longer than others can wait.
MAX_STEP = 5_000

#: How many ids one IN (...) holds.
CHUNK = 500


def set_auth_status(viewer: User, instance_pks: Collection[int], status: AuthStatus, *, reason: str) -> int:
    """Authorize the instances, or no longer; all of them or, if one is not the viewer's to see, none.

    Returns:
        How many changed; those that had the status already, by the baseline or a person, keep who gave it, and why.

    Raises:
        ForbiddenError: the viewer is no admin.
        InvalidInputError: nothing was selected, too much, or no reason given.
        NotFoundError: one of them does not exist, or is not the viewer's to see.
    """
    reason = _check_reason(viewer, reason)
    return _change(viewer, _check(viewer, instance_pks), status, reason)


def set_matching(
    viewer: User, address: ListAddress, status: AuthStatus, *, reason: str, mark: datetime | None = None
) -> tuple[int, datetime]:
    """Authorize all instances of a list, or no longer: at most MAX_STEP of those that have the other status.

    While `count_changes` says that there are more, call it again with the mark that it returned: all steps are then
    one act, which is undone as one.

    Returns:
        How many changed, and the mark.

    Raises:
        ForbiddenError: the viewer is no admin.
        InvalidInputError: no reason given, or the list's search cannot be read.
    """
    reason = _check_reason(viewer, reason)
    if address.error:
        raise InvalidInputError(address.error, field="q")
    mark = mark or database_now()
    query = gather(viewer, address.filters).where(Instance.auth_status == _opposite(status))
    # By account, so that a step locks and counts few of them.
    due = db.session.scalars(query.order_by(Instance.account_id).limit(MAX_STEP)).all()
    if not due:
        return 0, mark
    return _change(viewer, due, status, reason, mark=mark, listed=address), mark


def count_changes(viewer: User, filters: InstanceFilters, status: AuthStatus) -> Count:
    """How many instances of a list have the other status."""
    wanted, unwanted = _opposite(status).value, filters.excluded.auth_status
    if wanted in unwanted or (filters.auth_status and wanted not in filters.auth_status):
        return Count(0)
    return Count(*count_instances(viewer, replace(filters, auth_status=(wanted,))))


def find_last_change(viewer: User) -> datetime | None:
    """When the viewer last authorized anything, or took it back: the mark that all instances of that act carry."""
    return db.session.scalar(
        sa.select(sa.func.max(Instance.auth_changed_at, type_=UtcDateTime())).where(
            Instance.auth_changed_by_id == viewer.id
        )
    )


def undo_change(viewer: User, changed_at: datetime) -> int:
    """Turn round what the viewer did at that moment, where nobody has changed it since: at most MAX_STEP instances.

    Returns:
        How many changed; `is_undone` says whether that was all.

    Raises:
        ForbiddenError: the viewer is no admin.
        ConflictError: nothing of that act stands any more.
    """
    _check_admin(viewer)
    query = sa.select(Instance.id, Instance.account_id, Instance.auth_status, Instance.auth_source_before)
    query = query.where(*_of_act(viewer, changed_at)).order_by(Instance.account_id).limit(MAX_STEP)
    rows = db.session.execute(query).all()
    if not rows:
        raise ConflictError("Somebody has changed it since, so there is nothing to undo.")
    done = rows[0].auth_status
    opposite = _opposite(done)
    reason = f"Undone: {done.value} by mistake"
    _lock_accounts([row.id for row in rows])
    now = database_now()
    _leave_to_rules(viewer, [row for row in rows if row.auth_source_before in DECIDED_BY_RULES])
    for source in (AuthSource.PERSON, AuthSource.BASELINE):
        own = [row for row in rows if (row.auth_source_before or AuthSource.PERSON) is source]
        _write(
            [row.id for row in own],
            (Instance.auth_source_before, None),
            (Instance.auth_source, source),
            (Instance.auth_status, opposite),
            (Instance.auth_reason, reason),
            (Instance.auth_changed_at, now),
            (Instance.auth_changed_by_id, viewer.id),
        )
        _tell(viewer, own, opposite, now, reason)
    _audit(viewer, [row.id for row in rows], f"instances {opposite.value}: {len(rows)}, undone", reason)
    return len(rows)


def is_undone(viewer: User, changed_at: datetime) -> bool:
    """Whether nothing of what the viewer did at that moment stands any more."""
    return db.session.scalar(sa.select(Instance.id).where(*_of_act(viewer, changed_at)).limit(1)) is None


def let_rules_decide(viewer: User, instance_pks: Collection[int]) -> int:
    """Take back what a person, or the baseline, has decided of these instances: from here on the rules do, at once.

    Returns:
        How many are authorized afterwards.

    Raises:
        ForbiddenError, InvalidInputError, NotFoundError: as `set_auth_status`.
    """
    wanted = _check(viewer, instance_pks)
    _lock_accounts(wanted)
    _leave_to_rules(
        viewer, db.session.execute(sa.select(Instance.account_id, Instance.id).where(Instance.id.in_(wanted))).all()
    )
    _audit(viewer, wanted, f"instances left to the rules: {len(wanted)}", "")
    allowed = sa.select(sa.func.count()).where(Instance.id.in_(wanted), Instance.auth_status == AuthStatus.AUTHORIZED)
    return db.session.scalar(allowed) or 0


def record_refusal(viewer: User, instance_pks: Collection[int]) -> None:
    """Note that somebody named instances that are not there, or not theirs."""
    system_logs.record(
        "audit",
        "refused to authorize instances that are not there",
        level=LogLevel.WARNING,
        user=viewer,
        instances=sorted(instance_pks),
    )


def _check_admin(viewer: User) -> None:
    if not viewer.can(Role.ADMIN):
        raise ForbiddenError("Only admins authorize instances.")


def _check_reason(viewer: User, reason: str) -> str:
    _check_admin(viewer)
    reason = reason.strip()
    if not reason:
        raise InvalidInputError("Say why: whoever looks at this later will want to know.", field="reason")
    if len(reason) > MAX_REASON:
        raise InvalidInputError(f"The reason has at most {MAX_REASON} characters.", field="reason")
    return reason


def _opposite(status: AuthStatus) -> AuthStatus:
    return AuthStatus.UNAUTHORIZED if status is AuthStatus.AUTHORIZED else AuthStatus.AUTHORIZED


def _of_act(viewer: User, changed_at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return Instance.auth_changed_by_id == viewer.id, Instance.auth_changed_at == changed_at


def _check(viewer: User, instance_pks: Collection[int]) -> list[int]:
    """The instances' ids in order, all of them there and the viewer's to see."""
    _check_admin(viewer)
    if not instance_pks:
        raise InvalidInputError("Select at least one instance.", field="ids")
    if len(instance_pks) > MAX_AT_ONCE:
        raise InvalidInputError(f"Select at most {MAX_AT_ONCE:,} instances at once.", field="ids")
    wanted = sorted(set(instance_pks))
    visible = db.session.scalars(
        sa.select(Instance.id)
        .join(Account, Account.id == Instance.account_id)
        .where(Instance.id.in_(wanted), visible_accounts(viewer))
    ).all()
    if len(visible) != len(wanted):
        raise NotFoundError("There is no such instance.")
    return wanted


def _audit(viewer: User, instance_pks: Sequence[int], message: str, reason: str) -> None:
    system_logs.record("audit", message, user=viewer, reason=reason, instances=list(instance_pks))


def _change(
    viewer: User,
    instance_pks: Sequence[int],
    status: AuthStatus,
    reason: str,
    *,
    mark: datetime | None = None,
    listed: ListAddress | None = None,
) -> int:
    """Decide by hand, at the moment `mark`; of a list the log names what it was narrowed to instead of every id."""
    _lock_accounts(instance_pks)
    due: list[Any] = []
    for chunk in _chunks(instance_pks):
        # What rests on a rule, or on nothing, becomes a decision that stands whatever rules say.
        query = sa.select(Instance.id, Instance.account_id, Instance.auth_status).where(
            Instance.id.in_(chunk),
            sa.or_(Instance.auth_status != status, Instance.auth_source.in_(DECIDED_BY_RULES)),
        )
        due += db.session.execute(query)
    mark = mark or database_now()
    _write(
        [row.id for row in due],
        # In this order: MariaDB gives each the value that the ones before it have left.
        (Instance.auth_source_before, Instance.auth_source),
        (Instance.auth_source, AuthSource.PERSON),
        (Instance.auth_rule_id, None),
        (Instance.auth_status, status),
        (Instance.auth_reason, reason),
        (Instance.auth_changed_at, mark),
        (Instance.auth_changed_by_id, viewer.id),
    )
    _tell(viewer, due, status, mark, reason)
    if listed is None:
        _audit(viewer, instance_pks, f"instances {status.value}: {len(due)} of {len(instance_pks)} named", reason)
    else:
        message = f"instances {status.value}: {len(due)} of those that match"
        system_logs.record("audit", message, user=viewer, reason=reason, list=listed.to_params(), mark=mark.isoformat())
    return len(due)


def _leave_to_rules(viewer: User, rows: Sequence[Any]) -> None:
    """Have the rules decide, of rows with id and account_id; the accounts are locked."""
    for account_pk in sorted({row.account_id for row in rows}):
        own = [row.id for row in rows if row.account_id == account_pk]
        decide_stored(account_pk, own, released_by=viewer.username)


def _lock_accounts(instance_pks: Sequence[int]) -> None:
    """The accounts first, as discoveries and events do: two orders would be a deadlock."""
    owners: set[int] = set()
    for chunk in _chunks(instance_pks):
        owners.update(db.session.scalars(sa.select(Instance.account_id).where(Instance.id.in_(chunk)).distinct()))
    db.session.execute(sa.select(Account.id).where(Account.id.in_(owners)).order_by(Account.id).with_for_update())


def _write(instance_pks: Sequence[int], *values: tuple[Any, Any]) -> None:
    for chunk in _chunks(instance_pks):
        statement = sa.update(Instance).where(Instance.id.in_(chunk)).ordered_values(*values)
        db.session.execute(statement.execution_options(synchronize_session=False))


def _chunks(instance_pks: Sequence[int]) -> Iterator[Sequence[int]]:
    return (instance_pks[start : start + CHUNK] for start in range(0, len(instance_pks), CHUNK))


def _tell(viewer: User, rows: Sequence[Any], status: AuthStatus, now: datetime, reason: str) -> None:
    """Put the decision into the history of each instance, and count them by what they are now."""
    note = f"By {viewer.username}: {reason}"[:MAX_REASON]
    for account_pk in {row.account_id for row in rows}:
        own = [row for row in rows if row.account_id == account_pk]
        changes = (
            (row.id, (ChangeKind.CHANGED, "auth_status", row.auth_status.value, status.value, None)) for row in own
        )
        note_changes(account_pk, changes, seen_at=now, note=note)
        refresh_tallies(account_pk)
