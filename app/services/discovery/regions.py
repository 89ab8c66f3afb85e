"""What became of each region: one row for each account and region."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from app.aws.records import RegionRead, RegionUnread
from app.database import database_now, db
from app.errors import FaultCode
from app.models import RegionScan
from app.models.types import RegionResult

if TYPE_CHECKING:
    from app.aws.regions import Region

RESULTS = {
    FaultCode.DENIED_IAM: RegionResult.DENIED_IAM,
    FaultCode.ACCESS_DENIED: RegionResult.DENIED_IAM,
    FaultCode.DENIED_SCP: RegionResult.DENIED_SCP,
    FaultCode.NOT_OPTED_IN: RegionResult.NOT_OPTED_IN,
    FaultCode.THROTTLED: RegionResult.THROTTLED,
    FaultCode.UNREACHABLE: RegionResult.UNREACHABLE,
    FaultCode.MALFORMED: RegionResult.MALFORMED,
}


def record_regions(account_pk: int, regions: "Sequence[Region]") -> None:
    """Note which regions are not enabled for the account; enabled ones are noted when they have been tried."""
    for region in regions:
        if not region.is_enabled:
            _record(account_pk, region.name, RegionResult.NOT_OPTED_IN)
    db.session.flush()


def record_unread(account_pk: int, unread: RegionUnread) -> RegionResult:
    """Note why a region was not read. Its instances stay as they were last seen."""
    result = RESULTS.get(unread.code, RegionResult.ERROR)
    scan = _record(account_pk, unread.region, result)
    scan.last_tried_at = database_now()
    scan.aws_code = (unread.aws_code or "")[:128]
    scan.message = unread.message
    scan.pages, scan.calls = unread.pages, unread.calls
    db.session.flush()
    return result


def record_read(account_pk: int, read: RegionRead, *, began_at: datetime) -> None:
    """Note that a region was read to its last page.

    All that is known of it is as of the moment when the reading began: what happened later may be on no page.
    """
    scan = _record(account_pk, read.region, RegionResult.READ)
    scan.last_tried_at = scan.last_read_at = began_at
    scan.aws_code = scan.message = ""
    scan.pages, scan.calls, scan.instance_count = read.pages, read.calls, read.instances
    db.session.flush()


def _record(account_pk: int, region: str, result: RegionResult) -> RegionScan:
    scan = db.session.scalar(
        sa.select(RegionScan).where(RegionScan.account_id == account_pk, RegionScan.region == region)
    )
    now = database_now()
    if scan is None:
        scan = RegionScan(account_id=account_pk, region=region, result=result, since_at=now)
        db.session.add(scan)
    elif scan.result is not result:
        scan.result, scan.since_at = result, now
    return scan
