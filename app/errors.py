"""Domain errors and the codes by which trouble with AWS is known everywhere (no HTTP, no SQL, no boto3).

Doors translate these: the HTML door into a page or a message beside a field, the shell into an exit code.
"""

from enum import StrEnum


class FaultCode(StrEnum):
    """Why something about an AWS account or region could not be done.

    Stored in `accounts.error_code`, `region_scans.error_code` and `runs.error_code`; the words and the
    remedy for each are in `services/remedies.py`.
    """

    # The account's own: AWS answered, and the answer was no.
    ACCESS_DENIED = "access_denied"  # AssumeRole refused: no such role, wrong principal or wrong External ID
    EXTERNAL_ID_NOT_ENFORCED = "external_id_not_enforced"  # the role lets in a caller without our External ID
    ACCOUNT_MISMATCH = "account_mismatch"  # the credentials belong to another AWS account
    ACCOUNT_TAKEN = "account_taken"  # verified already by another row; whose is never told
    INVALID_ACCESS_KEY = "invalid_access_key"  # InvalidClientTokenId, AuthFailure: unknown or disabled key id
    BAD_SECRET_KEY = "bad_secret_key"  # SignatureDoesNotMatch
    EXPIRED_CREDENTIALS = "expired_credentials"  # ExpiredToken, RequestExpired
    ROOT_CREDENTIALS = "root_credentials"  # keys of the account's root user: refused
    TEMPORARY_CREDENTIALS = "temporary_credentials"  # ASIA keys or an assumed role's: refused
    UNREADABLE_SECRET = "unreadable_secret"  # our own ciphertext does not open: key removed, or moved row

    # A region's.
    DENIED_IAM = "denied_iam"  # UnauthorizedOperation
    DENIED_SCP = "denied_scp"  # the same, naming a service control policy
    NOT_OPTED_IN = "not_opted_in"
    THROTTLED = "throttled"
    MALFORMED = "malformed"  # a 200 that is not what it claims: HTML, an empty body, a token loop, half a page

    # Ours, or nobody's: never blamed on the account.
    UNREACHABLE = "unreachable"  # no connection, or no answer in time
    AWS_ERROR = "aws_error"  # 5xx after retries, or a code we have no words for
    CLOCK_SKEW = "clock_skew"  # our clock is too far off for AWS to accept the signature
    NO_APP_IDENTITY = "no_app_identity"  # the installation itself has no AWS credentials
    LEASE_LOST = "lease_lost"  # another worker took the job over
    INTERNAL = "internal"  # a fault of Spotkeeper itself


#: Codes that say nothing about the account: they change its health, never its status.
NOT_THE_ACCOUNTS_FAULT = frozenset(
    {
        FaultCode.THROTTLED,
        FaultCode.UNREACHABLE,
        FaultCode.AWS_ERROR,
        FaultCode.CLOCK_SKEW,
        FaultCode.NO_APP_IDENTITY,
        FaultCode.LEASE_LOST,
        FaultCode.INTERNAL,
        FaultCode.MALFORMED,
        FaultCode.UNREADABLE_SECRET,
    }
)

#: Codes that settle the matter at once: asking again cannot help until somebody changes something.
DEFINITE = frozenset(
    {
        FaultCode.EXTERNAL_ID_NOT_ENFORCED,
        FaultCode.ACCOUNT_MISMATCH,
        FaultCode.ACCOUNT_TAKEN,
        FaultCode.INVALID_ACCESS_KEY,
        FaultCode.BAD_SECRET_KEY,
        FaultCode.ROOT_CREDENTIALS,
        FaultCode.TEMPORARY_CREDENTIALS,
    }
)


class SpotkeeperError(Exception):
    """Anything Spotkeeper refuses or fails to do, with a message fit for the person who asked."""


class ConfigError(SpotkeeperError):
    """The settings are incomplete or contradict each other; the message says which one and how to mend it."""


class NotFoundError(SpotkeeperError):
    """There is no such thing, or it is somebody else's: the two are never told apart."""


class InvalidInputError(SpotkeeperError):
    """A value cannot be accepted.

    `field` names the input it belongs to, so that a form can show the message beside it.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class ConflictError(InvalidInputError):
    """What was asked contradicts what is stored: a duplicate, or a state that has moved on."""


class ForbiddenError(SpotkeeperError):
    """The viewer may see this but may not do that."""


class SecretError(SpotkeeperError):
    """A stored secret does not open: wrong key, altered bytes, or a ciphertext moved to another place."""


class NoRoomError(SpotkeeperError):
    """A disk is full; the message says which, and whoever runs the installation can mend it."""


class LeaseLostError(SpotkeeperError):
    """This worker no longer holds the run: whatever it was about to write must not be written."""


class AwsFault(SpotkeeperError):
    """A call to AWS did not give what was asked for.

    `code` is ours; `aws_code` and `aws_message` are AWS's own words where there are any (never a secret);
    `request_id` is AWS's, to quote to their support.
    """

    def __init__(
        self,
        code: FaultCode,
        message: str = "",
        *,
        aws_code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message or code.value)
        self.code = code
        self.aws_code = aws_code
        self.request_id = request_id
