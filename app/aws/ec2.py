"""Reads a region's instances to the last page, or says why not; imports botocore.

Source: EC2 API reference, DescribeInstances. A failure on any page makes the whole region unread: half a list is
indistinguishable from instances having gone.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from app.aws.credentials import CredentialProvider, Credentials, FixedCredentials
from app.aws.errors import aws_faults
from app.aws.records import InstanceRecord, RegionRead, RegionUnread, instance_record
from app.aws.session import CALL_SECONDS, READ_TIMEOUT_SECONDS, client
from app.errors import AwsFault, FaultCode

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

PAGE_SIZE = 1000
#: A million instances in one region; beyond any account's quota.
MAX_PAGES = 1000
#: AWS may send pages without instances; so many on end without a new one are an endless list.
MAX_BARREN_PAGES = 10
#: A session may end between any two pages, but a fresh one does not end at once, again and again.
MAX_RENEWALS = 20

INSTANCE_ID = re.compile(r"i-[0-9A-Za-z-]{1,62}")

OnPage = Callable[[int, int], None]


def read_region(
    credentials: Credentials | CredentialProvider,
    region: str,
    *,
    on_page: OnPage | None = None,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    call_seconds: float = CALL_SECONDS,
) -> RegionRead | RegionUnread:
    """Every instance of one region, or the reason why there is no complete list. Never raises AwsFault.

    `on_page(pages, instances)` is told after each page, for progress and leases; what it raises goes to the
    caller. `read_timeout_seconds` bounds the silence of one attempt, `call_seconds` one page with all attempts.
    """
    provider = FixedCredentials(credentials) if isinstance(credentials, Credentials) else credentials
    reading = _Reading(provider, region, read_timeout_seconds, call_seconds)
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
    """One reading of one region: its place in the list, and what it has found."""

    def __init__(
        self, provider: CredentialProvider, region: str, read_timeout_seconds: float, call_seconds: float
    ) -> None:
        self.pages = 0
        self.calls = 0
        self._provider = provider
        self._region = region
        self._read_timeout_seconds = read_timeout_seconds
        self._call_seconds = call_seconds
        self._renewals = 0
        self._found: dict[str, InstanceRecord] = {}

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
                    answer = self._page(ec2, token)
                except AwsFault as fault:
                    # The same page again, once, with a new session; a token outlives the session that got it.
                    signer = self._renewed(signer, fault)
                    ec2.close()
                    ec2 = self._client(signer)
                    answer = self._page(ec2, token)
                barren = 0 if self._take(answer) else barren + 1
                self.pages += 1
                if on_page is not None:
                    on_page(self.pages, len(self._found))
                token = answer.get("NextToken") or None
                if token is None:
                    return RegionRead(self._region, tuple(self._found.values()), self.pages, self.calls)
                if token in seen_tokens or barren >= MAX_BARREN_PAGES or self.pages >= MAX_PAGES:
                    raise _malformed("The pages have no end: the same ones came again.")
                seen_tokens.add(token)
        finally:
            ec2.close()

    def _client(self, credentials: Credentials) -> "EC2Client":
        ec2 = client(
            "ec2",
            credentials,
            self._region,
            read_timeout_seconds=self._read_timeout_seconds,
            call_seconds=self._call_seconds,
        )
        # First in line, for the guard of the transport raises in the same event.
        ec2.meta.events.register_first("before-send", self._count)
        return ec2

    def _count(self, **_: Any) -> None:
        self.calls += 1

    def _page(self, ec2: "EC2Client", token: str | None) -> Mapping[str, Any]:
        with aws_faults():
            if token is None:
                return ec2.describe_instances(MaxResults=PAGE_SIZE)
            return ec2.describe_instances(MaxResults=PAGE_SIZE, NextToken=token)

    def _renewed(self, stale: Credentials, fault: AwsFault) -> Credentials:
        if fault.code is not FaultCode.EXPIRED_CREDENTIALS or self._renewals >= MAX_RENEWALS:
            raise fault
        self._renewals += 1
        fresh = self._provider.renew(stale)
        if fresh == stale:
            raise fault
        return fresh

    def _take(self, answer: Mapping[str, Any]) -> bool:
        """Note a page's instances; True where one of them is new. Raises AwsFault MALFORMED.

        botocore leaves out what an answer leaves out: a page without Reservations is no empty page. The later
        sighting of an instance that shifted between pages wins.
        """
        reservations = answer.get("Reservations")
        if not isinstance(reservations, list):
            raise _malformed("The answer to DescribeInstances has no list of reservations.")
        before = len(self._found)
        for reservation in reservations:
            instances = reservation.get("Instances")
            if not isinstance(instances, list):
                raise _malformed("A reservation came without its instances.")
            for raw in instances:
                if not INSTANCE_ID.fullmatch(str(raw.get("InstanceId"))):
                    raise _malformed("An instance came without an instance id.")
                record = instance_record(raw, self._region, reservation)
                self._found[record.instance_id] = record
        return len(self._found) > before


def _malformed(message: str) -> AwsFault:
    return AwsFault(FaultCode.MALFORMED, message)
