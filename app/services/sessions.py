"""Signed-in browsers: made at sign-in, found by the token in the cookie, ended at the server."""

import hashlib
import secrets
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import contains_eager

from app.database import db, is_out_of_room, is_transient, own_transaction
from app.errors import NotFoundError
from app.models import User, UserSession
from app.models.mixins import utc_now

#: `last_seen_at` is to the minute: a page does not cost a write.
TOUCH_AFTER = timedelta(minutes=1)


def hash_token(token: str) -> str:
    """What is stored of a cookie's token: SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def start_session(
    user: User, *, lifetime_seconds: int, ip_address: str = "", user_agent: str = ""
) -> tuple[UserSession, str]:
    """A new session and the token for the cookie; the token is stored nowhere in clear."""
    token = secrets.token_urlsafe(32)
    now = utc_now()
    session = UserSession(
        user_id=user.id,
        token_hash=hash_token(token),
        created_at=now,
        last_seen_at=now,
        confirmed_at=now,
        expires_at=now + timedelta(seconds=lifetime_seconds),
        ip_address=ip_address[:45],
        user_agent=user_agent[:255],
    )
    db.session.add(session)
    db.session.flush()
    return session, token


def find_session(token: str, *, user_id: int, idle_seconds: int) -> UserSession | None:
    """The live session of this token with its user, in one query; None when over, idle too long, or disabled."""
    now = utc_now()
    return db.session.scalar(
        sa.select(UserSession)
        .join(UserSession.user)
        .options(contains_eager(UserSession.user))
        .where(
            UserSession.token_hash == hash_token(token),
            UserSession.user_id == user_id,
            UserSession.revoked_at.is_(None),
            UserSession.expires_at > now,
            UserSession.last_seen_at > now - timedelta(seconds=idle_seconds),
            User.is_enabled.is_(True),
        )
    )


def touch_session(session: UserSession) -> None:
    """Note that the session is in use, at most once a minute, whatever becomes of the request.

    Only for requests that merely read: on SQLite one that writes holds the lock that this needs. Such a request is
    answered even where nothing can be written, for want of room or because another is writing.
    """
    now = utc_now()
    if now - session.last_seen_at < TOUCH_AFTER:
        return
    try:
        with own_transaction() as own:
            own.execute(
                sa.update(UserSession)
                .where(UserSession.id == session.id, UserSession.last_seen_at < now)
                .values(last_seen_at=now)
            )
    except sa.exc.OperationalError as error:
        if not (is_out_of_room(error) or is_transient(error)):
            raise


def confirm_session(session: UserSession) -> None:
    """Note that the password has just been typed again."""
    session.confirmed_at = utc_now()
    db.session.flush()


def list_sessions(user: User, *, idle_seconds: int) -> list[UserSession]:
    """The user's live sessions, last used first."""
    now = utc_now()
    return list(
        db.session.scalars(
            sa.select(UserSession)
            .where(
                UserSession.user_id == user.id,
                UserSession.revoked_at.is_(None),
                UserSession.expires_at > now,
                UserSession.last_seen_at > now - timedelta(seconds=idle_seconds),
            )
            .order_by(UserSession.last_seen_at.desc(), UserSession.id.desc())
        )
    )


def end_session(session: UserSession) -> None:
    """End this session at the server; once it has ended, nothing more happens."""
    session.revoked_at = session.revoked_at or utc_now()
    db.session.flush()


def revoke_session(user: User, session_id: int) -> None:
    """End one of the user's own sessions at the server.

    Raises:
        NotFoundError: there is no such session, or it is somebody else's.
    """
    session = db.session.scalar(
        sa.select(UserSession).where(
            UserSession.id == session_id, UserSession.user_id == user.id, UserSession.revoked_at.is_(None)
        )
    )
    if session is None:
        raise NotFoundError("There is no such session")
    end_session(session)


def revoke_sessions(user: User, *, keep: UserSession | None = None) -> None:
    """End the user's sessions at the server, all but `keep`."""
    statement = sa.update(UserSession).where(UserSession.user_id == user.id, UserSession.revoked_at.is_(None))
    if keep is not None:
        statement = statement.where(UserSession.id != keep.id)
    db.session.execute(statement.values(revoked_at=utc_now()))
