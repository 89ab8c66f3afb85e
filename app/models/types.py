"""The fixed vocabularies that columns are held to; what AWS may extend (states, lifecycles) stays text."""

from enum import StrEnum


class Role(StrEnum):
    """What a user may do, least first."""

    CLIENT = "client"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    def includes(self, other: "Role") -> bool:
        """Whether this role may do all that the other may."""
        return self.rank >= other.rank


class ConnectionMethod(StrEnum):
    IAM_ROLE = "iam_role"
    ACCESS_KEYS = "access_keys"


class AccountStatus(StrEnum):
    PENDING = "pending"
    """No proof yet that we may read it."""
    CONNECTED = "connected"
    """Verified: the credentials work, and belong to the account that was named."""
    ACTIVE = "active"
    """At least one region was read to its end."""
    FAILED = "failed"
    """AWS refuses us; what was read before is kept."""


class AccountHealth(StrEnum):
    """How the last try went, beside the status: a hiccup changes this, never the status."""

    UNKNOWN = "unknown"
    OK = "ok"
    PARTIAL = "partial"
    """Some regions were not read."""
    UNAVAILABLE = "unavailable"
    """The trouble is ours or AWS's, not the account's."""
    REFUSED = "refused"
    """AWS said no."""


class RegionResult(StrEnum):
    """What became of the last try to read a region. Anything but READ changes no instance."""

    READ = "read"
    DENIED_IAM = "denied_iam"
    DENIED_SCP = "denied_scp"
    NOT_OPTED_IN = "not_opted_in"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    ERROR = "error"


class PermissionResult(StrEnum):
    """Whether one action is allowed in one region, as AWS itself said."""

    ALLOWED = "allowed"
    DENIED_IAM = "denied_iam"
    DENIED_SCP = "denied_scp"
    UNKNOWN = "unknown"
    """AWS did not say: throttled, unreachable, or an answer that settles nothing."""


class ChangeKind(StrEnum):
    """What a row of an instance's history tells."""

    APPEARED = "appeared"
    CHANGED = "changed"
    VANISHED = "vanished"
    """A complete reading no longer showed it."""
    RETURNED = "returned"


class EventOutcome(StrEnum):
    """What became of an event that was let in."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    """It told what was known already."""
    STALE = "stale"
    """Something later was known already."""
    UNKNOWN_INSTANCE = "unknown_instance"
    """Not discovered yet; the next discovery brings it."""
    IGNORED = "ignored"
    """A kind that says nothing about an instance here."""


class AuthStatus(StrEnum):
    AUTHORIZED = "authorized"
    UNAUTHORIZED = "unauthorized"


class AuthSource(StrEnum):
    """What an instance's authorization rests on. Rules decide where it is RULE or NONE, and nowhere else."""

    BASELINE = "baseline"
    """It was there at the first complete discovery."""
    RULE = "rule"
    PERSON = "person"
    """Somebody decided by hand, either way."""
    NONE = "none"
    """Nobody has allowed it, or the rule that did has ended."""


class RuleState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    EXPIRED = "expired"
    REMOVED = "removed"
    """Kept for those who ask why something was allowed; it may be brought back."""


class RuleAction(StrEnum):
    """What was done to a rule."""

    CREATED = "created"
    EDITED = "edited"
    PAUSED = "paused"
    RESUMED = "resumed"
    REMOVED = "removed"
    RESTORED = "restored"
    EXPIRED = "expired"


class RunKind(StrEnum):
    """What a job does; each has a handler in tasks/."""

    VERIFY_ACCOUNT = "verify_account"
    DISCOVER_ACCOUNT = "discover_account"
    CHECK_PERMISSIONS = "check_permissions"
    CHECK_IDENTITY = "check_identity"
    POLL_EVENTS = "poll_events"
    APPLY_RULES = "apply_rules"
    PRUNE = "prune"


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_over(self) -> bool:
        return self in {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELED}


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Decision(StrEnum):
    SWITCH = "switch"
    HOLD = "hold"


class DowntimeCause(StrEnum):
    SPOT_INTERRUPTION = "spot_interruption"
    STATUS_CHECK = "status_check"
    HOST_RETIREMENT = "host_retirement"
    STOPPED = "stopped"
    TERMINATED = "terminated"
    CAPACITY = "capacity"
    UNKNOWN = "unknown"


class ExportFormat(StrEnum):
    """A file that the list of instances can be taken away in."""

    CSV = "csv"
    JSON_LINES = "json_lines"
    XLSX = "xlsx"


class ExportState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    BROKEN = "broken"
    """It was not sent to its end."""
