"""Turns whatever a call to AWS can raise into an AwsFault with our code; imports botocore.

Messages are ours or AWS's own words with anything that looks like a key or a token taken out. The original
exception is not chained: botocore puts whole answers, and AWS puts signed requests, into theirs.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from app.aws.transport import CallTimeoutError, MalformedAnswerError
from app.errors import AwsFault, FaultCode

THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
#: Beyond five minutes AWS refuses a signature; a difference well below that is the network's.
SKEW_LIMIT = timedelta(minutes=4)

_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "Forbidden"}
_BLOCKED = {"AccountDisabled", "Blocked", "PendingVerification"}
_SIGNATURE = {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"}
_SKEWED = {"RequestTimeTooSkewed", "RequestInTheFuture"}
_CODES = {
    **dict.fromkeys(
        ("AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException"),
        FaultCode.INVALID_ACCESS_KEY,
    ),
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
        FaultCode.EXPIRED_CREDENTIALS,
    ),
    **dict.fromkeys(("OptInRequired", "RegionDisabledException"), FaultCode.NOT_OPTED_IN),
    **dict.fromkeys(_SIGNATURE, FaultCode.BAD_SECRET_KEY),
    **dict.fromkeys(_SKEWED, FaultCode.CLOCK_SKEW),
    **dict.fromkeys(THROTTLES, FaultCode.THROTTLED),
}

_NO_IDENTITY = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.ProfileNotFound,
    boto.ConfigParseError,
    boto.ConfigNotFound,
    boto.InvalidConfigError,
    boto.UnknownCredentialError,
    boto.NoAuthTokenError,
    boto.TokenRetrievalError,
    boto.MetadataRetrievalError,
    boto.SSOError,
    boto.RefreshWithMFAUnsupportedError,
)
_UNREACHABLE = (
    boto.ConnectionError,  # connecting, proxies, TLS
    boto.HTTPClientError,  # reading
    boto.IncompleteReadError,
    CallTimeoutError,
)
#: What botocore's parsers raise over an answer of the right name and the wrong content (a word where a number
#: belongs, a date that is none).
_PARSING = (ResponseParserError, MalformedAnswerError, ValueError, LookupError, TypeError, AttributeError)

_STAMP = re.compile(r"\b\d{8}T\d{6}Z\b")
_SIGNED_REQUEST = re.compile(r"The (?:Canonical String|String-to-Sign).*", re.DOTALL)
_KEY_ID = re.compile(r"\b(A[A-Z]{3})[A-Z0-9]{12,}([A-Z0-9]{4})\b")
#: An ARN is told who was refused what, and stays; any other long run of letters may be a token.
_ARN_OR_TOKEN = re.compile(r"(arn:aws[a-z-]*:[a-z0-9-]+:\S+)|[A-Za-z0-9+/=_-]{40,}")


def is_throttle(aws_code: str | None) -> bool:
    """Whether an AWS error code means "too fast": to be retried later, never to be blamed on anybody."""
    return _bare(aws_code or "") in THROTTLES


def translate(exc: BaseException) -> AwsFault:
    """The fault for any exception of a call to AWS; an AwsFault is returned as it is."""
    if isinstance(exc, AwsFault):
        return exc
    if isinstance(exc, boto.ClientError):
        return _from_answer(exc)
    if isinstance(exc, _NO_IDENTITY):
        return AwsFault(FaultCode.NO_APP_IDENTITY, f"No usable AWS credentials were found ({type(exc).__name__}).")
    if isinstance(exc, boto.SSLError):
        return AwsFault(FaultCode.UNREACHABLE, "The TLS connection to AWS could not be made or trusted.")
    if isinstance(exc, _UNREACHABLE):
        waiting = (boto.ReadTimeoutError, boto.ConnectTimeoutError, CallTimeoutError)
        how = "did not answer in time" if isinstance(exc, waiting) else "could not be reached"
        return AwsFault(FaultCode.UNREACHABLE, f"AWS {how}.")
    if isinstance(exc, MalformedAnswerError):
        return AwsFault(FaultCode.MALFORMED, str(exc))
    if isinstance(exc, boto.BotoCoreError) or not isinstance(exc, (*_PARSING, OSError)):
        return AwsFault(FaultCode.INTERNAL, f"The call could not be made ({type(exc).__name__}).")
    if isinstance(exc, OSError):
        return AwsFault(FaultCode.UNREACHABLE, "AWS could not be reached.")
    return AwsFault(FaultCode.MALFORMED, "The answer came damaged, or is not AWS's.")


@contextmanager
def aws_faults() -> Iterator[None]:
    """Wrap the calls of a client, and nothing else: our own mistakes must not be read as AWS's."""
    try:
        yield
    except AwsFault:
        raise
    except (boto.BotoCoreError, boto.ClientError, OSError, *_PARSING) as exc:
        raise translate(exc) from None


def own_fault(fault: AwsFault) -> AwsFault:
    """The same fault where the installation's own credentials were refused: never the account's."""
    ours = {FaultCode.INVALID_ACCESS_KEY, FaultCode.BAD_SECRET_KEY, FaultCode.EXPIRED_CREDENTIALS}
    if fault.code not in ours:
        return fault
    return AwsFault(
        FaultCode.NO_APP_IDENTITY,
        "AWS refused this installation's own credentials.",
        aws_code=fault.aws_code,
        request_id=fault.request_id,
    )


def _from_answer(exc: boto.ClientError) -> AwsFault:
    response: Any = exc.response
    error = response.get("Error") or {}
    metadata = response.get("ResponseMetadata") or {}
    aws_code = str(error.get("Code") or "")[:100]
    message = str(error.get("Message") or "")
    code = _code(_bare(aws_code), message, metadata, exc.operation_name)
    words = "AWS could not check the signature." if code is FaultCode.BAD_SECRET_KEY else _clean(message)
    if code is FaultCode.CLOCK_SKEW:
        words = _skew_words(_skew(message, metadata))
    request_id = metadata.get("RequestId")
    return AwsFault(
        code,
        words or f"AWS answered {aws_code or metadata.get('HTTPStatusCode', 'an error')}.",
        aws_code=aws_code or None,
        request_id=str(request_id)[:100] if request_id else None,
    )


def _code(bare: str, message: str, metadata: dict[str, Any], operation: str | None) -> FaultCode:
    status = metadata.get("HTTPStatusCode") or 0
    if bare in _DENIED or (status == 403 and bare == "403"):
        if "service control policy" in message.lower():
            return FaultCode.DENIED_SCP
        sts = operation in {"AssumeRole", "GetCallerIdentity"}
        return FaultCode.ACCESS_DENIED if sts else FaultCode.DENIED_IAM
    if bare in _BLOCKED:
        return FaultCode.ACCESS_DENIED
    if bare in _SIGNATURE or bare == "RequestExpired":
        skew = _skew(message, metadata)
        if "Signature expired" in message or "not yet current" in message or (skew and abs(skew) > SKEW_LIMIT):
            return FaultCode.CLOCK_SKEW
    if bare in _CODES:
        return _CODES[bare]
    return FaultCode.THROTTLED if status == 429 else FaultCode.AWS_ERROR


def _bare(aws_code: str) -> str:
    """EC2 writes some codes with a prefix: Client.RequestLimitExceeded, Server.InternalError."""
    return aws_code.removeprefix("Client.").removeprefix("Server.")


def _skew(message: str, metadata: dict[str, Any]) -> timedelta | None:
    """How far our clock is ahead of AWS's (negative: behind).

    From the message's own stamps (the first is ours, the last AWS's), else from the answer's Date header.
    """
    stamps = [datetime.strptime(s, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for s in _STAMP.findall(message)]
    if len(stamps) > 1:
        return stamps[0] - stamps[-1]
    try:
        theirs = parsedate_to_datetime((metadata.get("HTTPHeaders") or {})["date"])
        return datetime.now(UTC) - theirs
    except (KeyError, TypeError, ValueError):
        return None


def _skew_words(skew: timedelta | None) -> str:
    if skew is None:
        return "This machine's clock differs too much from AWS's."
    minutes = abs(round(skew.total_seconds() / 60))
    side = "ahead of" if skew > timedelta(0) else "behind"
    return f"This machine's clock is about {minutes} minutes {side} AWS's."


def _clean(message: str) -> str:
    """AWS's words on one line, without signed requests, encoded blobs, and all but the ends of key ids."""
    message = _SIGNED_REQUEST.sub("", message)
    message = _KEY_ID.sub(r"\1…\2", message)
    message = _ARN_OR_TOKEN.sub(lambda match: match[1] or "…", message)
    return " ".join("".join(c if c.isprintable() else " " for c in message).split())[:500]
