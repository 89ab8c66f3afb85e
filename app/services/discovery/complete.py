"""The end of a discovery: what it means for the account."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from app.aws.records import RegionRead, RegionUnread
from app.database import database_now, db
from app.errors import NOT_THE_ACCOUNTS_FAULT, AwsFault, FaultCode
from app.models import Account
from app.models.types import AccountHealth, AccountStatus
from app.services.accounts.status import IDENTITY_REFUSED, next_due, record_fault, record_success, set_standing
from app.services.discovery.changes import Changes
from app.services.discovery.inventory import authorize_baseline
from app.services.instances.change_tallies import count_reading
from app.services.runs import Lease, Outcome

if TYPE_CHECKING:
    from app.aws.regions import Region

#: Regions that nobody can read, and where therefore nothing of the account's can be missed by reading the others.
CLOSED = frozenset({FaultCode.DENIED_SCP, FaultCode.NOT_OPTED_IN})


def complete_discovery(
    lease: Lease,
    regions: "Sequence[Region]",
    results: Mapping[str, RegionRead | RegionUnread],
    changes: Changes,
    *,
    interval_seconds: int,
) -> Outcome:
    """Set the account's status, health and counts by what was read, and what was not."""
    lease.hold()
    account = db.session.get_one(Account, lease.account_pk)
    enabled = [region.name for region in regions if region.is_enabled]
    unread = [result for result in results.values() if isinstance(result, RegionUnread)]
    read = len(enabled) - len(unread)
    summary = summarize(enabled, results, changes)
    if read == 0 and unread:
        record_fault(account, _common_fault(unread))
        return Outcome.failed(unread[0].code, unread[0].message, summary)

    now = database_now()
    account.regions_enabled, account.regions_read = len(enabled), read
    record_success(account)
    account.last_good_at = now
    account.next_due_at = next_due(now, interval_seconds)
    if account.baseline_at is None and all(result.code in CLOSED for result in unread):
        summary["authorized_as_baseline"] = authorize_baseline(account)
    problems = [result for result in unread if result.code is not FaultCode.NOT_OPTED_IN]
    set_standing(
        account,
        status=AccountStatus.ACTIVE,
        health=AccountHealth.PARTIAL if problems else AccountHealth.OK,
        code=problems[0].code if problems else None,
        error_message=problems[0].message if problems else "",
        note=f"{read} of {len(enabled)} regions read.",
    )
    count_reading(account.id, now)
    return Outcome.succeeded(summary)


def summarize(
    enabled: Sequence[str], results: Mapping[str, RegionRead | RegionUnread], changes: Changes
) -> dict[str, object]:
    """What a run says of itself, at its end and on the way."""
    unread = {result.region: result.code.value for result in results.values() if isinstance(result, RegionUnread)}
    return {
        "regions_enabled": len(enabled),
        "regions_read": len(results) - len(unread),
        "instances_seen": changes.seen,
        "instances_added": changes.added,
        "instances_changed": changes.changed,
        "instances_vanished": changes.vanished,
        "unread": unread,
        "calls": sum(result.calls for result in results.values()),
    }


def _common_fault(unread: Sequence[RegionUnread]) -> AwsFault:
    """What to call it when no region was read: a refusal of our identity first, then our own trouble."""
    worst = min(unread, key=lambda result: (result.code not in IDENTITY_REFUSED, result.code in NOT_THE_ACCOUNTS_FAULT))
    return AwsFault(worst.code, worst.message, aws_code=worst.aws_code, request_id=worst.request_id)
