"""People: listing, creating, disabling, roles and passwords. Who may is the door's affair; what may not be, is here."""

import re
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from app.database import db
from app.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.models import Account, User, UserSession
from app.models.mixins import utc_now
from app.models.types import Role
from app.services import system_logs
from app.services.passwords import check_new_password, hash_password, make_initial_password, verify_password
from app.services.sessions import revoke_sessions

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}", re.ASCII)

#: How long a password that somebody else made may wait for its owner.
INITIAL_PASSWORD_LIFETIME = timedelta(hours=72)


def list_users() -> list[tuple[User, int]]:
    """Every user with the number of accounts each owns, by name."""
    # Counted apart: MariaDB wants every column of users in the GROUP BY otherwise.
    owned = (
        sa.select(sa.func.count())
        .select_from(Account)
        .where(Account.user_id == User.id)
        .correlate(User)
        .scalar_subquery()
    )
    rows = db.session.execute(sa.select(User, owned).order_by(User.username, User.id))
    return [(row[0], row[1]) for row in rows]


def get_user(user_id: int) -> User:
    """Raises NotFoundError when there is no such user."""
    user: User | None = db.session.get(User, user_id)
    if user is None:
        raise NotFoundError("There is no such user")
    return user


def get_user_by_name(username: str) -> User:
    """Raises NotFoundError when there is no such user."""
    user: User | None = db.session.scalar(sa.select(User).where(User.username == username.strip().lower()))
    if user is None:
        raise NotFoundError(f"There is no user {username!r}")
    return user


def create_user(
    username: str, *, email: str, role: Role, password: str | None = None, actor: User | None = None
) -> tuple[User, str]:
    """The new user and the password. Without a password a random one is made, which must be changed within 72 hours.

    `actor` is who does it; None for the shell. The password is shown once by the caller and stored nowhere in clear.

    Raises:
        ConflictError: the name or the address is taken (the field says which).
        InvalidInputError: the name or the address is malformed, or the password too weak.
    """
    username, email = check_username(username), check_email(email)
    expires_at = None
    if password is None:
        password = make_initial_password()
        expires_at = utc_now() + INITIAL_PASSWORD_LIFETIME
    else:
        check_new_password(password, about=(username, email))
    _refuse_duplicate(username, email)
    user = User(
        username=username,
        email=email,
        role=role,
        password_hash=hash_password(password),
        password_expires_at=expires_at,
    )
    try:
        with db.session.begin_nested():
            db.session.add(user)
    except IntegrityError:
        _refuse_duplicate(username, email)
        raise
    system_logs.record("audit", "User created", user=actor, target_id=user.id, username=username, role=role.value)
    return user, password


def check_username(text: str) -> str:
    """The name as stored: 2 to 64 plain lower-case characters, so that no two names look alike.

    Raises:
        InvalidInputError: it holds something else.
    """
    name = text.strip().lower()
    if not USERNAME.fullmatch(name):
        raise InvalidInputError(
            "Use 2 to 64 letters, digits, dots, dashes or underscores; begin with a letter or a digit.",
            field="username",
        )
    return name


def check_email(text: str) -> str:
    """The address as stored, in lower case; its shape is checked, not whether it can be reached.

    Raises:
        InvalidInputError: it is no address.
    """
    from email_validator import EmailNotValidError, validate_email  # its patterns take a while to compile

    try:
        address = validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise InvalidInputError("This is not an e-mail address.", field="email") from None
    if len(address) > 254:
        raise InvalidInputError("This e-mail address is too long.", field="email")
    return address


def change_role(user_id: int, role: Role, *, actor: User) -> User:
    """Give the user another role; all of the user's sessions end.

    Raises:
        ForbiddenError: it is the actor's own role, or that of the last super admin.
        NotFoundError: there is no such user.
    """
    user = _lock_user(user_id, actor, "You cannot change your own role; ask another super admin.")
    if user.role is role:
        return user
    if user.role is Role.SUPER_ADMIN:
        _keep_a_super_admin(user)
    previous, user.role = user.role, role
    revoke_sessions(user)
    system_logs.record("audit", "Role changed", user=actor, target_id=user.id, before=previous.value, after=role.value)
    db.session.flush()
    return user


def set_enabled(user_id: int, is_enabled: bool, *, actor: User | None) -> User:
    """Let the user sign in, or no longer; disabling ends all of the user's sessions.

    Raises:
        ForbiddenError: it is the actor, or the last super admin.
        NotFoundError: there is no such user.
    """
    user = _lock_user(user_id, actor, "You cannot disable yourself; ask another super admin.")
    if user.is_enabled is is_enabled:
        return user
    if not is_enabled and user.role is Role.SUPER_ADMIN:
        _keep_a_super_admin(user)
    user.is_enabled = is_enabled
    if not is_enabled:
        revoke_sessions(user)
    system_logs.record("audit", "User enabled" if is_enabled else "User disabled", user=actor, target_id=user.id)
    db.session.flush()
    return user


def reset_password(user_id: int, *, actor: User | None) -> tuple[User, str]:
    """A random password in place of the forgotten one, to be changed within 72 hours; all sessions end.

    Raises:
        ForbiddenError: it is the actor's own, which is changed on the actor's page.
        NotFoundError: there is no such user.
    """
    user = _lock_user(user_id, actor, "Change your own password on your own page.")
    password = make_initial_password()
    user.password_hash = hash_password(password)
    user.password_changed_at = utc_now()
    user.password_expires_at = utc_now() + INITIAL_PASSWORD_LIFETIME
    revoke_sessions(user)
    system_logs.record("audit", "Password reset", user=actor, target_id=user.id)
    db.session.flush()
    return user, password


def change_password(user: User, password: str) -> None:
    """Replace one's own password, the current one having been checked; all of the user's sessions end, so the caller
    begins a new one.

    Raises:
        InvalidInputError: the new one is weak, or the same (field `password`).
    """
    check_new_password(password, about=(user.username, user.email))
    if verify_password(user.password_hash, password):
        raise InvalidInputError("The new password is the current one.", field="password")
    user.password_hash = hash_password(password)
    user.password_changed_at = utc_now()
    user.password_expires_at = None
    revoke_sessions(user)
    system_logs.record("audit", "Password changed", user=user)
    db.session.flush()


def change_time_zone(user: User, time_zone: str) -> None:
    """The zone in which times are shown to this user; an IANA name that the form has checked."""
    user.time_zone = time_zone
    db.session.flush()


def count_live_sessions(user_ids: Sequence[int]) -> dict[int, int]:
    """How many browsers each of these users is signed in with; users with none are left out."""
    rows = db.session.execute(
        sa.select(UserSession.user_id, sa.func.count())
        .where(
            UserSession.user_id.in_(user_ids),
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > utc_now(),
        )
        .group_by(UserSession.user_id)
    )
    return {row[0]: row[1] for row in rows}


def _lock_user(user_id: int, actor: User | None, refusal: str) -> User:
    """The user, with all super admins' rows locked first and in one order.

    So two of them who demote each other at the same moment do it one after the other, and the second is refused.
    SQLite has no row locks and needs none: whoever writes holds the whole file.
    """
    if actor is not None and actor.id == user_id:
        raise ForbiddenError(refusal)
    db.session.scalars(
        sa.select(User.id)
        .where(sa.or_(User.role == Role.SUPER_ADMIN, User.id == user_id))
        .order_by(User.id)
        .with_for_update()
    ).all()
    user = db.session.get(User, user_id, populate_existing=True)
    if user is None:
        raise NotFoundError("There is no such user")
    if actor is not None:
        db.session.refresh(actor)
        if not actor.is_enabled or not actor.can(Role.SUPER_ADMIN):
            raise ForbiddenError("You are no longer a super admin.")
    return user


def _keep_a_super_admin(user: User) -> None:
    others = db.session.scalar(
        sa.select(sa.func.count())
        .select_from(User)
        .where(User.role == Role.SUPER_ADMIN, User.is_enabled.is_(True), User.id != user.id)
    )
    if not others:
        raise ForbiddenError("This is the last super admin who can sign in: make another one first.")


def _refuse_duplicate(username: str, email: str) -> None:
    taken = db.session.execute(
        sa.select(User.username, User.email).where(
            sa.or_(User.username.in_((username, email)), User.email.in_((email, username)))
        )
    ).all()
    for row in taken:
        if row.username in {username, email}:
            raise ConflictError("This username is taken.", field="username")
        raise ConflictError("This e-mail address is taken.", field="email")
