"""What the calendar does to rules: it warns of their end, ends them, and sees that every change comes to be applied."""

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.database import database_now, own_transaction, retry_transient
from app.models import AuthorizationRule, AuthorizationRuleEdit, Instance, SystemLog
from app.models.types import AuthSource, LogLevel, RuleAction, RuleState, RunKind
from app.services.rules.edit import content_of
from app.services.rules.listing import SOON
from app.services.runs import enqueue


def keep_calendar() -> int:
    """End the rules whose last day is over, tell of those that end soon; returns how many were ended.

    In short transactions of its own. May be run by several schedulers at once: each thing is done once.
    """
    with own_transaction() as session:
        today = database_now(session).date()
        is_active = AuthorizationRule.state == RuleState.ACTIVE
        over = session.scalars(
            sa.select(AuthorizationRule.id).where(is_active, AuthorizationRule.expires_on < today)
        ).all()
        untold = sa.or_(
            AuthorizationRule.warned_for.is_(None), AuthorizationRule.warned_for != AuthorizationRule.expires_on
        )
        ending = session.scalars(
            sa.select(AuthorizationRule.id).where(
                is_active, AuthorizationRule.expires_on.between(today, today + SOON), untold
            )
        ).all()
        is_pending = AuthorizationRule.applied_revision < AuthorizationRule.revision
        is_left = session.scalar(sa.select(AuthorizationRule.id).where(is_pending).limit(1)) is not None
    ended = sum(_end(rule_id, today) for rule_id in over)
    for rule_id in ending:
        _warn(rule_id, today)
    if is_left:
        _enqueue()
    return ended


@retry_transient
def _end(rule_id: int, today: date) -> bool:
    with own_transaction() as session:
        rule = _lock(session, rule_id)
        if rule is None or rule.state is not RuleState.ACTIVE or rule.expires_on is None or rule.expires_on >= today:
            return False
        now = database_now(session)
        rule.state, rule.ended_at = RuleState.EXPIRED, now
        rule.revision += 1
        session.add(
            AuthorizationRuleEdit(
                rule_id=rule.id,
                revision=rule.revision,
                action=RuleAction.EXPIRED,
                made_at=now,
                content=content_of(rule).dump(),
            )
        )
        _tell(session, rule, f"rule “{rule.name}” expired on {rule.expires_on.isoformat()}")
        enqueue(RunKind.APPLY_RULES, session=session)
        return True


@retry_transient
def _warn(rule_id: int, today: date) -> None:
    with own_transaction() as session:
        rule = _lock(session, rule_id)
        if rule is None or rule.expires_on is None or rule.warned_for == rule.expires_on:
            return
        rule.warned_for = rule.expires_on
        days = (rule.expires_on - today).days
        when = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
        _tell(session, rule, f"rule “{rule.name}” ends {when}, on {rule.expires_on.isoformat()}")


@retry_transient
def _enqueue() -> None:
    """A change may have come while the job was about to end."""
    with own_transaction() as session:
        enqueue(RunKind.APPLY_RULES, session=session)


def _lock(session: Session, rule_id: int) -> AuthorizationRule | None:
    return session.scalar(sa.select(AuthorizationRule).where(AuthorizationRule.id == rule_id).with_for_update())


def _tell(session: Session, rule: AuthorizationRule, message: str) -> None:
    """A line in the log that names the owner, and how much rests on the rule."""
    resting = sa.select(sa.func.count()).where(
        Instance.auth_rule_id == rule.id, Instance.auth_source == AuthSource.RULE
    )
    session.add(
        SystemLog(
            component="authorization",
            level=LogLevel.WARNING,
            message=message,
            details={
                "rule": rule.id,
                "owner": rule.owner_name,
                "contact": rule.owner_contact,
                "instances": session.scalar(resting) or 0,
            },
        )
    )
