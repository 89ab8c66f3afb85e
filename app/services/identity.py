"""Who this installation is in AWS: found out by a job, shown by pages."""

from typing import TYPE_CHECKING

from app.database import database_now, db
from app.errors import AwsFault, FaultCode
from app.models import AppIdentity

if TYPE_CHECKING:  # at run time only jobs import boto3, and pages use this module too
    from app.aws.identity import CallerIdentity


def find_identity() -> AppIdentity | None:
    """What the last check found; None before the first."""
    return db.session.get(AppIdentity, 1)


def can_assume_roles() -> bool:
    """Whether AWS knew us when we last asked; without that no role can trust us."""
    identity = find_identity()
    return identity is not None and bool(identity.account_id)


def record_identity(found: "CallerIdentity | AwsFault") -> AppIdentity:
    """Keep the result of a check. A passing fault (no network) leaves the last known identity standing."""
    row = find_identity() or AppIdentity(id=1)
    row.checked_at = database_now()
    if isinstance(found, AwsFault):
        row.error_code, row.error_message = found.code, str(found)
        if found.code is FaultCode.NO_APP_IDENTITY:
            row.account_id, row.arn = "", ""
    else:
        row.account_id, row.arn, row.partition = found.account_id, found.arn, found.partition
        row.error_code, row.error_message = None, ""
    db.session.add(row)
    db.session.flush()
    return row
