"""Which regions an account has; imports botocore.

Source: EC2 API reference, DescribeRegions: AllRegions adds those that are not enabled for the account.
"""

from contextlib import closing
from dataclasses import dataclass

from app.aws.credentials import Credentials
from app.aws.errors import aws_faults
from app.aws.formats import REGION
from app.aws.meter import CallMeter
from app.aws.session import SIGN_IN_SECONDS, client, known_regions, require_region
from app.errors import AwsFault, FaultCode

ENABLED = frozenset({"opt-in-not-required", "opted-in"})


@dataclass(frozen=True, slots=True)
class Region:
    """One region as this account sees it."""

    name: str
    opt_in_status: str
    """AWS's word: opt-in-not-required, opted-in, not-opted-in, or one we do not know yet."""

    is_enabled: bool
    is_known: bool = True
    """False for a region newer than our AWS library: it cannot be read, and must be shown as unread."""


def list_regions(credentials: Credentials, home_region: str, *, meter: CallMeter | None = None) -> list[Region]:
    """Every region of the account's partition, enabled or not, by name. Raises AwsFault.

    Asked under the account's own credentials: which regions are enabled differs from account to account.
    """
    known = known_regions(require_region(home_region))
    asking = client("ec2", credentials, home_region, call_seconds=SIGN_IN_SECONDS, meter=meter)
    with closing(asking) as ec2, aws_faults():
        answer = ec2.describe_regions(AllRegions=True)
    found: dict[str, Region] = {}
    for item in answer.get("Regions") or ():
        name, status = str(item.get("RegionName") or ""), str(item.get("OptInStatus") or "")
        if not REGION.fullmatch(name):
            raise AwsFault(FaultCode.MALFORMED, "The answer to DescribeRegions holds a name that is no region's.")
        # Without a status the region is enabled: DescribeRegions once returned no others.
        found[name] = Region(name, status, not status or status in ENABLED, name in known)
    if not any(region.is_enabled for region in found.values()):
        # Every account has regions that cannot be switched off, and we have just talked to one.
        raise AwsFault(FaultCode.MALFORMED, "The answer to DescribeRegions holds no enabled region.")
    return [found[name] for name in sorted(found)]
