"""Reads a region's instances to the last page, or says why not; imports botocore.

Source: EC2 API reference, DescribeInstances. A failure on any page makes the whole region unread: half a list is
indistinguishable from instances having gone. Signing, retries and paging are botocore's; the pages are taken apart
before it would parse them (`instance_page`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.aws.credentials import CredentialProvider, Credentials, FixedCredentials
from app.aws.errors import aws_faults
from app.aws.instance_page import Page, PageError, RawInstance, read_page
from app.aws.records import RegionRead, RegionUnread
from app.aws.session import CALL_SECONDS, READ_TIMEOUT_SECONDS, client
from app.errors import AwsFault, FaultCode

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

#: AWS gives up to 1,000. A page of so many has 12 MB, and half a dozen are in memory at once; with these the whole
#: process is a third smaller, and the calls that they cost in addition take no measurable time.
PAGE_SIZE = 250
#: A million instances in one region; beyond any account's quota.
MAX_PAGES = 4000
#: AWS may send pages without instances; so many on end without a new one are an endless list.
MAX_BARREN_PAGES = 10
#: A session may end between any two pages, but a fresh one does not end at once, again and again.
MAX_RENEWALS = 20

#: What botocore parses in place of the page that was taken out of its hands.
_NOTHING = b"<DescribeInstancesResponse/>"
_PAGE = "SpotkeeperPage"


@dataclass(frozen=True, slots=True)
class PageRead:
    """One page of a region that is being read. Proves nothing about what is not on it."""

    region: str
    instances: Sequence[RawInstance]
    """Those that were on no earlier page: AWS may show one twice when the list shifts between pages."""

    pages: int
    """How many pages have come, this one among them."""


OnPage = Callable[[PageRead], None]


def read_region(
    credentials: Credentials | CredentialProvider,
    region: str,
    *,
    on_page: OnPage | None = None,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    call_seconds: float = CALL_SECONDS,
    **options: Any,
) -> RegionRead | RegionUnread:
    """Hand every page of one region to `on_page`; then say that it was all, or why it is not. Never raises AwsFault.

    Pages are not kept: `on_page` is told in this thread and may take its time; what it raises goes to the caller.
    `read_timeout_seconds` bounds the silence of one attempt, `call_seconds` one page with all attempts. `options` go to
    `session.client`: the meter that counts the requests, and the end of it all.
    """
    provider = FixedCredentials(credentials) if isinstance(credentials, Credentials) else credentials
    # EC2's limits are per account and region, and so is this client, which lives through the reading: once AWS has
    # asked to slow down, the next pages are asked for more slowly, too.
    options |= {
        "read_timeout_seconds": read_timeout_seconds,
        "call_seconds": call_seconds,
        "retry_mode": "adaptive",
    }
    reading = _Reading(provider, region, options)
    try:
        return reading.to_the_end(on_page)
    except AwsFault as fault:
        return RegionUnread(
            region=region,
            code=fault.code,
            message=str(fault),
            aws_code=fault.aws_code,
            request_id=fault.request_id,
            pages=reading.pages,
            calls=reading.calls,
        )


class _Reading:
    """One reading of one region: its place in the list, and which instances it has met."""

    def __init__(self, provider: CredentialProvider, region: str, options: dict[str, Any]) -> None:
        self.pages = 0
        self.calls = 0
        self._provider = provider
        self._region = region
        self._options = options
        self._renewals = 0
        self._met: set[str] = set()

    def to_the_end(self, on_page: OnPage | None) -> RegionRead:
        """Follow the tokens. Raises AwsFault, and whatever `on_page` raises."""
        token: str | None = None
        seen_tokens: set[str] = set()
        barren = 0
        signer = self._provider.current()
        ec2 = self._client(signer)
        try:
            while True:
                fresh = self._provider.current()
                if fresh != signer:
                    ec2.close()
                    signer, ec2 = fresh, self._client(fresh)
                try:
                    page = self._page(ec2, token)
                except AwsFault as fault:
                    # The same page again, once, with a new session; a token outlives the session that got it.
                    signer = self._renewed(signer, fault)
                    ec2.close()
                    ec2 = self._client(signer)
                    page = self._page(ec2, token)
                fresh_ones = self._not_met(page)
                barren = 0 if fresh_ones else barren + 1
                self.pages += 1
                token = page.next_token
                del page  # its bytes are the most memory that there is
                if on_page is not None:
                    on_page(PageRead(self._region, fresh_ones, self.pages))
                del fresh_ones
                if token is None:
                    return RegionRead(self._region, len(self._met), self.pages, self.calls)
                if token in seen_tokens or barren >= MAX_BARREN_PAGES or self.pages >= MAX_PAGES:
                    raise _malformed("The pages have no end: the same ones came again.")
                seen_tokens.add(token)
        finally:
            ec2.close()

    def _client(self, credentials: Credentials) -> "EC2Client":
        ec2 = client("ec2", credentials, self._region, **self._options)
        # First in line, for the guard of the transport raises in the same event.
        ec2.meta.events.register_first("before-send", self._count)
        # Under the same name as the guard's, and last: a more special name would come before all that is general, and
        # the guard would be shown what is left here, not what AWS sent.
        ec2.meta.events.register_last("before-parse", _take_page)
        return ec2

    def _count(self, **_: Any) -> None:
        self.calls += 1

    def _page(self, ec2: "EC2Client", token: str | None) -> Page:
        asked: dict[str, Any] = {"MaxResults": PAGE_SIZE} | ({"NextToken": token} if token else {})
        with aws_faults():
            answer: Any = ec2.describe_instances(**asked)
        page: Page | PageError = answer[_PAGE]
        if isinstance(page, PageError):
            raise _malformed(str(page))
        return page

    def _renewed(self, stale: Credentials, fault: AwsFault) -> Credentials:
        if fault.code is not FaultCode.EXPIRED_CREDENTIALS or self._renewals >= MAX_RENEWALS:
            raise fault
        self._renewals += 1
        fresh = self._provider.renew(stale)
        if fresh == stale:
            raise fault
        return fresh

    def _not_met(self, page: Page) -> Sequence[RawInstance]:
        met = self._met
        fresh = []
        for raw in page.instances:
            if raw.instance_id not in met:
                met.add(raw.instance_id)
                fresh.append(raw)
        return fresh


def _take_page(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Take a good answer out of botocore's hands; what it makes of an error, it makes best."""
    if response_dict["status_code"] >= 300:
        return
    try:
        customized_response_dict[_PAGE] = read_page(response_dict["body"])
    except PageError as error:
        customized_response_dict[_PAGE] = error
    response_dict["body"] = _NOTHING


def _malformed(message: str) -> AwsFault:
    return AwsFault(FaultCode.MALFORMED, message)
