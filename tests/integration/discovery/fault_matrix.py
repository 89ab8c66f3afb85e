"""Every way in which AWS, or what stands between us and AWS, can go wrong, and what must become of a discovery then.

One table. `test_fault_matrix.py` runs each row as a whole discovery; `python -m tests.chaos faults` prints the table
with what was seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from app.errors import FaultCode as Code
from app.models.types import AccountHealth as Health
from app.models.types import AccountStatus as Status
from app.models.types import RegionResult as Result
from demo.aws.cloud import SimulatedAws

ACCOUNT = "012345678901"
ROLE = "SpotkeeperReadOnly"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1")
CLOSED = ("me-south-1",)
HOME, AWAY = REGIONS[0], REGIONS[2]
HALF = REGIONS[2:]

#: What one discovery of five regions may cost, whatever AWS does.
MOST_CALLS = 60

Change = Callable[[SimulatedAws], None]


@dataclass(frozen=True)
class Row:
    """One fault and what must be seen of it: `regions` are those that it hits, which must be unread with `result`."""

    name: str
    faults: tuple[dict[str, Any], ...] = ()
    result: Result | None = None
    """What the hit regions say; None where no region is hit."""

    regions: tuple[str, ...] = (AWAY,)
    code: Code | None = None
    """What the account says, where that is not the first unread region's."""

    health: Health = Health.OK
    status: Status = Status.ACTIVE
    is_slow: bool = False
    """Whether it is about waiting: then the limits are counted in fractions of a second."""

    before: Change | None = None
    after: Change | None = None
    """For what is no answer of ours to give, but a change of the customer's; `after` takes it back."""

    retags: bool = field(default=False)
    """Whether the answer truly tells of other tags."""


def listing(kind: str, **options: Any) -> dict[str, Any]:
    return {"kind": kind, "action": "DescribeInstances", "region": AWAY, **options}


def call(action: str, kind: str, **options: Any) -> dict[str, Any]:
    return {"kind": kind, "action": action, **options}


def unread(name: str, result: Result, kind: str, **options: Any) -> Row:
    """One region of five is not read."""
    is_slow = options.pop("is_slow", False)
    return Row(name, (listing(kind, **options),), result, health=Health.PARTIAL, is_slow=is_slow)


def weathered(name: str, kind: str, **options: Any) -> Row:
    """The discovery gets over it: nothing is to be seen."""
    retags = options.pop("retags", False)
    return Row(name, (listing(kind, **options),), retags=retags)


def everywhere(name: str, result: Result, code: Code, kind: str, **options: Any) -> Row:
    """No region is read, and nobody blames the account."""
    faults = (call("DescribeInstances", kind, **options),)
    return Row(name, faults, result, REGIONS, code, Health.UNAVAILABLE)


def before_regions(name: str, code: Code, health: Health, *faults: dict[str, Any], **options: Any) -> Row:
    """It does not come to reading regions."""
    return Row(name, faults, None, (), code, health, **options)


def _turn_clock(minutes: int) -> Change:
    def turn(aws: SimulatedAws) -> None:
        aws.clock = lambda: datetime.now(UTC) + timedelta(minutes=minutes)

    return turn


def _close(aws: SimulatedAws) -> None:
    aws.set_regions(ACCOUNT, *(name for name in REGIONS if name != AWAY), not_opted_in=(*CLOSED, AWAY))


def _open(aws: SimulatedAws) -> None:
    aws.set_regions(ACCOUNT, *REGIONS, not_opted_in=CLOSED)


def _swap_trust(aws: SimulatedAws) -> None:
    role = _role(aws)
    role.kept_trust = role.assume_role_policy_document
    role.assume_role_policy_document = role.kept_trust.replace("sts:ExternalId", "sts:SourceIdentity")


def _restore_trust(aws: SimulatedAws) -> None:
    role = _role(aws)
    role.assume_role_policy_document = role.kept_trust


def _role(aws: SimulatedAws) -> Any:
    from demo.aws.principals import find_role

    role = find_role(ACCOUNT, ROLE)
    assert role is not None
    return role


IAM, SCP = Result.DENIED_IAM, Result.DENIED_SCP
MALFORMED, UNREACHABLE, THROTTLED, ERROR = Result.MALFORMED, Result.UNREACHABLE, Result.THROTTLED, Result.ERROR
UNAVAILABLE, REFUSED, PARTIAL = Health.UNAVAILABLE, Health.REFUSED, Health.PARTIAL

ROWS: tuple[Row, ...] = (
    # Too fast, or broken over there.
    unread("throttled in one region", THROTTLED, "throttle"),
    everywhere("throttled in every region", THROTTLED, Code.THROTTLED, "throttle"),
    weathered("throttled twice, then not", "throttle", times=2),
    unread("429 too many requests", THROTTLED, "error", code="TooManyRequestsException", status=429),
    unread("500 internal error", ERROR, "server_error"),
    weathered("500 once, then not", "server_error", times=1),
    unread("503 with a balancer's page", ERROR, "error_page"),
    everywhere("500 in every region", ERROR, Code.AWS_ERROR, "server_error"),
    # The network.
    unread("connection reset", UNREACHABLE, "reset"),
    weathered("connection reset once", "reset", times=1),
    unread("never answers", UNREACHABLE, "hang", seconds=3, is_slow=True),
    unread("a byte now and then", UNREACHABLE, "drip", seconds=0.1, is_slow=True),
    unread("fewer bytes than promised", UNREACHABLE, "short"),
    unread("redirected to 169.254.169.254", MALFORMED, "redirect"),
    # Answers that are none.
    unread("200 with an HTML page", MALFORMED, "html"),
    unread("200 with an empty body", MALFORMED, "empty"),
    unread("200 with JSON", MALFORMED, "json"),
    unread("200 without the list", MALFORMED, "no_list"),
    unread("the answer to something else", MALFORMED, "wrong_root"),
    unread("cut in the middle", MALFORMED, "truncated"),
    unread("not well-formed", MALFORMED, "ill_formed"),
    unread("invalid UTF-8", MALFORMED, "bad_utf8"),
    unread("an instance without an id", MALFORMED, "unnamed"),
    unread("64 MB", MALFORMED, "huge"),
    unread("128 MB in 128 kB of gzip", MALFORMED, "gzip_bomb"),
    unread("200,000 levels deep", MALFORMED, "deep"),
    unread("an entity that names a file", MALFORMED, "external_entity"),
    unread("a billion laughs", MALFORMED, "entity_bomb"),
    # Pages.
    unread("page 2 is denied", IAM, "denied", page=2),
    unread("page 2 is throttled", THROTTLED, "throttle", page=2),
    unread("page 2 is cut in the middle", MALFORMED, "truncated", page=2),
    unread("pages without an end", MALFORMED, "token_loop"),
    unread("the page's token is too old", ERROR, "error", page=2, code="InvalidNextToken", message="expired"),
    weathered("an instance on two pages", "twice"),
    weathered("5,000 tags on one instance", "many_tags", retags=True),
    # Permissions.
    unread("denied by IAM", IAM, "denied"),
    Row(
        "denied by the organization",
        result=SCP,
        health=PARTIAL,
        before=lambda aws: aws.deny_region(ACCOUNT, AWAY),
        after=lambda aws: aws.allow_region(ACCOUNT, AWAY),
    ),
    Row(
        "half of the regions denied",
        tuple(call("DescribeInstances", "denied", region=region) for region in HALF),
        IAM,
        HALF,
        health=PARTIAL,
    ),
    Row(
        "opted out on the way",
        (listing("error", code="OptInRequired", message="You are not subscribed."),),
        Result.NOT_OPTED_IN,
    ),
    Row("opted out before", result=Result.NOT_OPTED_IN, before=_close, after=_open),
    # Sessions and identity.
    weathered("the session ends on page 2", "expired_token", page=2, times=1),
    unread("every session is called expired", ERROR, "expired_token"),
    before_regions("the role is gone", Code.ACCESS_DENIED, REFUSED, call("AssumeRole", "denied")),
    before_regions(
        "the role has another External ID", Code.ACCESS_DENIED, REFUSED, before=_swap_trust, after=_restore_trust
    ),
    before_regions(
        "the credentials are another account's",
        Code.ACCOUNT_MISMATCH,
        REFUSED,
        call("GetCallerIdentity", "another_account"),
        status=Status.FAILED,
    ),
    before_regions("STS is down", Code.AWS_ERROR, UNAVAILABLE, call("AssumeRole", "server_error")),
    before_regions("STS is throttled", Code.THROTTLED, UNAVAILABLE, call("AssumeRole", "throttle")),
    before_regions("STS resets", Code.UNREACHABLE, UNAVAILABLE, call("AssumeRole", "reset")),
    before_regions(
        "STS never answers", Code.UNREACHABLE, UNAVAILABLE, call("AssumeRole", "hang", seconds=3), is_slow=True
    ),
    before_regions("STS gives no credentials", Code.MALFORMED, UNAVAILABLE, call("AssumeRole", "no_credentials")),
    before_regions("STS answers with a page", Code.MALFORMED, UNAVAILABLE, call("GetCallerIdentity", "html")),
    before_regions(
        "our clock is ten minutes behind", Code.CLOCK_SKEW, UNAVAILABLE, before=_turn_clock(10), after=_turn_clock(0)
    ),
    before_regions(
        "our clock is ten minutes ahead", Code.CLOCK_SKEW, UNAVAILABLE, before=_turn_clock(-10), after=_turn_clock(0)
    ),
    # The list of regions.
    before_regions("DescribeRegions is denied", Code.DENIED_IAM, REFUSED, call("DescribeRegions", "denied")),
    before_regions("DescribeRegions lists none", Code.MALFORMED, UNAVAILABLE, call("DescribeRegions", "no_regions")),
    before_regions("DescribeRegions is cut", Code.MALFORMED, UNAVAILABLE, call("DescribeRegions", "truncated")),
    before_regions("DescribeRegions is a page", Code.MALFORMED, UNAVAILABLE, call("DescribeRegions", "html")),
    before_regions("a region that is a host", Code.MALFORMED, UNAVAILABLE, call("DescribeRegions", "odd_region")),
)
