"""The job that holds instances to the rules after a rule has changed."""

from app.database import db
from app.services.rules.apply import Applied, apply_rule, find_pending_rule
from app.services.runs import Lease, Outcome

#: So many rules a run; those that are changed again and again must not keep one worker for ever.
MOST = 100


def apply_rules(lease: Lease) -> Outcome:
    """Apply every rule whose last change is not applied yet."""
    count, applied = 0, Applied()
    while (rule_id := find_pending_rule()) is not None:
        db.session.rollback()
        if count == MOST:
            return Outcome.again(in_seconds=0, text="More rules wait")
        applied += apply_rule(rule_id, hold=lease.hold, report=lease.report)
        count += 1
    db.session.rollback()
    return Outcome.succeeded(
        {"rules": count, "instances_authorized": applied.authorized, "instances_unauthorized": applied.unauthorized}
    )
