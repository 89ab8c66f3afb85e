"""Making rules, changing them, pausing, removing and bringing them back; each with a line of history and of audit.

Whoever does it commits; the instances follow in a job.
"""

from datetime import date

import sqlalchemy as sa

from app.database import database_now, db
from app.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from app.models import AuthorizationRule, AuthorizationRuleAccount, AuthorizationRuleEdit, User
from app.models.types import Role, RuleAction, RuleState, RunKind
from app.services import runs, system_logs
from app.services.rules.conditions import account_ids, dump_conditions, load_conditions
from app.services.rules.content import RuleContent

#: Of those that are not removed: each is asked about every new instance.
MAX_RULES = 200


def create_rule(actor: User, content: RuleContent) -> AuthorizationRule:
    """Make a rule that is in force at once.

    Raises:
        ForbiddenError: the actor is no admin.
        InvalidInputError: its last day is over, its owner cannot be reached, or there are too many rules.
    """
    _check_admin(actor)
    kept = sa.select(sa.func.count()).where(AuthorizationRule.state != RuleState.REMOVED)
    if (db.session.scalar(kept) or 0) >= MAX_RULES:
        raise ConflictError(f"There are {MAX_RULES} rules already. Remove some that are not needed.", field="name")
    rule = AuthorizationRule(name=content.name, owner_name=content.owner_name, revision=0)
    db.session.add(rule)
    db.session.flush()
    _fill(rule, content, date.min)
    _note(actor, rule, RuleAction.CREATED)
    return rule


def change_rule(actor: User, rule: AuthorizationRule, content: RuleContent, *, revision: int) -> None:
    """Let the rule say something else; one that had expired is in force again if it now lasts longer.

    Raises:
        ForbiddenError: the actor is no admin.
        ConflictError: it is not the revision that the actor has looked at, or it was removed.
        InvalidInputError: its last day is over, or its owner cannot be reached.
    """
    _check_admin(actor)
    _lock(rule)
    if rule.state is RuleState.REMOVED:
        raise ConflictError("The rule was removed. Bring it back first.")
    if rule.revision != revision:
        raise ConflictError("Somebody has changed the rule since you opened it. Look at it again, then change it.")
    _fill(rule, content, rule.expires_on)
    if rule.state is RuleState.EXPIRED and (content.expires_on is None or content.expires_on >= _today()):
        rule.state, rule.ended_at = RuleState.ACTIVE, None
    _note(actor, rule, RuleAction.EDITED)


def pause_rule(actor: User, rule: AuthorizationRule) -> None:
    """Let the rule allow nothing until it is resumed.

    Raises:
        ForbiddenError, ConflictError: the actor is no admin; it is not active.
    """
    _move(actor, rule, {RuleState.ACTIVE}, RuleState.PAUSED, RuleAction.PAUSED)


def resume_rule(actor: User, rule: AuthorizationRule) -> None:
    """Let a paused rule allow again.

    Raises:
        ForbiddenError, ConflictError: the actor is no admin; it is not paused, or its last day is over.
    """
    if rule.expires_on is not None and rule.expires_on < _today():
        raise ConflictError("Its last day is over. Give it a later one first.")
    _move(actor, rule, {RuleState.PAUSED}, RuleState.ACTIVE, RuleAction.RESUMED)


def remove_rule(actor: User, rule: AuthorizationRule) -> None:
    """Take the rule out of use; it is kept for those who ask why something was allowed, and can be brought back.

    Raises:
        ForbiddenError, ConflictError: the actor is no admin; it was removed already.
    """
    _move(actor, rule, set(RuleState) - {RuleState.REMOVED}, RuleState.REMOVED, RuleAction.REMOVED)
    rule.ended_at = database_now()


def restore_rule(actor: User, rule: AuthorizationRule) -> None:
    """Bring a removed rule back, paused: it allows nothing before somebody has seen what that would be.

    Raises:
        ForbiddenError, ConflictError: the actor is no admin; it is not removed.
    """
    _move(actor, rule, {RuleState.REMOVED}, RuleState.PAUSED, RuleAction.RESTORED)
    rule.ended_at = None


def content_of(rule: AuthorizationRule) -> RuleContent:
    """What the rule says now."""
    return RuleContent(
        name=rule.name,
        conditions=load_conditions(rule.conditions),
        owner_name=rule.owner_name,
        owner_contact=rule.owner_contact,
        note=rule.note,
        expires_on=rule.expires_on,
    )


def _check_admin(actor: User) -> None:
    if not actor.can(Role.ADMIN):
        raise ForbiddenError("Only admins make and change rules.")


def _today() -> date:
    return database_now().date()


def _lock(rule: AuthorizationRule) -> None:
    found = db.session.scalar(
        sa.select(AuthorizationRule)
        .where(AuthorizationRule.id == rule.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFoundError("There is no such rule.")


def _fill(rule: AuthorizationRule, content: RuleContent, known_last_day: date | None) -> None:
    today = _today()
    if content.expires_on is not None and content.expires_on < today and content.expires_on != known_last_day:
        raise InvalidInputError(f"That day is over: today is {today.isoformat()} (UTC).", field="expires_on")
    owner = db.session.scalar(sa.select(User).where(User.username == content.owner_name.lower()))
    contact = content.owner_contact or (owner.email if owner is not None else "")
    if not contact:
        raise InvalidInputError(
            "No user has this name, so say how the owner is reached: an address, a channel, a page.",
            field="owner_contact",
        )
    rule.name, rule.note, rule.expires_on = content.name, content.note, content.expires_on
    rule.owner_id = owner.id if owner is not None else None
    rule.owner_name = owner.username if owner is not None else content.owner_name
    rule.owner_contact = contact
    rule.conditions = dump_conditions(content.conditions)
    accounts = account_ids(content.conditions)
    rule.covers_all_accounts = accounts is None
    db.session.execute(
        sa.delete(AuthorizationRuleAccount)
        .where(AuthorizationRuleAccount.rule_id == rule.id)
        .execution_options(synchronize_session=False)
    )
    # As rows, for an object of the same key may still be in the session.
    if accounts:
        values = [{"rule_id": rule.id, "account_id": each} for each in accounts]
        db.session.execute(sa.insert(AuthorizationRuleAccount), values)


def _move(actor: User, rule: AuthorizationRule, before: set[RuleState], after: RuleState, action: RuleAction) -> None:
    _check_admin(actor)
    _lock(rule)
    if rule.state not in before:
        raise ConflictError(f"The rule is {rule.state.value} meanwhile, so it was left as it is.")
    rule.state = after
    _note(actor, rule, action)


def _note(actor: User, rule: AuthorizationRule, action: RuleAction) -> None:
    """History, audit, and the job that brings the instances to it."""
    rule.revision += 1
    content = content_of(rule).dump()
    db.session.add(
        AuthorizationRuleEdit(
            rule_id=rule.id,
            revision=rule.revision,
            action=action,
            made_at=database_now(),
            user_id=actor.id,
            username=actor.username,
            content=content,
        )
    )
    system_logs.record(
        "audit", f"authorization rule “{rule.name}” {action.value}", user=actor, rule=rule.id, content=content
    )
    runs.enqueue(RunKind.APPLY_RULES, requested_by=actor)
