"""The sessions of one role over the length of a discovery: made when needed, renewed before they end."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.aws.credentials import Credentials
from app.aws.identity import SESSION_SECONDS, assume_role

#: Renewed this long before their end, so that no call is under way when it comes.
RENEW_BEFORE = timedelta(minutes=5)
#: Not renewed early more often than this. Sessions shorter than RENEW_BEFORE would otherwise be made for each call.
RENEW_AT_MOST = timedelta(minutes=1)


class AssumedRole:
    """A `CredentialProvider` for one role; share one among the threads that read one account's regions.

    Credentials live in this object and nowhere else.
    """

    def __init__(
        self,
        role_arn: str,
        external_id: str,
        session_name: str,
        *,
        duration_seconds: int = SESSION_SECONDS,
        region: str | None = None,
        initial: Credentials | None = None,
        assume: Callable[..., Credentials] = assume_role,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._role_arn = role_arn
        self._external_id = external_id
        self._session_name = session_name
        self._duration_seconds = duration_seconds
        self._region = region
        self._assume = assume
        self._now = now
        self._lock = threading.Lock()
        self._credentials = initial
        self._made_at = now() if initial else None

    def current(self) -> Credentials:
        """Credentials good for at least five minutes more. Raises AwsFault as `assume_role` does."""
        with self._lock:
            if self._credentials is None or self._is_ending():
                return self._make()
            return self._credentials

    def renew(self, stale: Credentials) -> Credentials:
        """Others than `stale`, which AWS called expired; what another thread has fetched meanwhile is shared."""
        with self._lock:
            if self._credentials is None or self._credentials == stale:
                return self._make()
            return self._credentials

    def _is_ending(self) -> bool:
        if self._credentials is None or self._made_at is None or self._credentials.expires_at is None:
            return False
        now = self._now()
        return now >= self._credentials.expires_at - RENEW_BEFORE and now - self._made_at >= RENEW_AT_MOST

    def _make(self) -> Credentials:
        self._credentials = self._assume(
            self._role_arn, self._external_id, self._session_name, self._duration_seconds, self._region
        )
        self._made_at = self._now()
        return self._credentials
