"""Brings all instances to what a rule says after it was made, changed, paused, removed, or has expired.

In many short transactions: candidates are found by queries, and decided under the lock of their account, by which
the counts stay right at every moment. It may be begun again from the start at any time.
"""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.database import database_now, db, retry_transient
from app.models import Account, AuthorizationRule, Instance
from app.models.types import AuthSource, AuthStatus
from app.services import system_logs
from app.services.rules.conditions import account_ids, load_conditions
from app.services.rules.decide import CHUNK, DECIDED_BY_RULES, in_force
from app.services.rules.queries import covered
from app.services.rules.stored import decide_stored


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of applying a rule."""

    authorized: int = 0
    unauthorized: int = 0

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(self.authorized + other.authorized, self.unauthorized + other.unauthorized)


def find_pending_rule() -> int | None:
    """The rule that waits longest for its last change to be applied."""
    pending = AuthorizationRule.applied_revision < AuthorizationRule.revision
    query = sa.select(AuthorizationRule.id).where(pending)
    return db.session.scalar(query.order_by(AuthorizationRule.updated_at, AuthorizationRule.id).limit(1))


def apply_rule(
    rule_id: int,
    *,
    hold: Callable[[], None],
    report: Callable[[int, int, str], None],
) -> Applied:
    """Decide every instance that the rule allows or has allowed; commits as it goes.

    `hold` is called first in each transaction and refuses by an exception; `report` takes accounts done, accounts in
    all and a few words, with no transaction open.
    """
    rule = db.session.get(AuthorizationRule, rule_id, populate_existing=True)
    if rule is None:
        db.session.rollback()
        return Applied()
    revision, name = rule.revision, rule.name
    accounts = _accounts(rule)
    db.session.rollback()
    applied = Applied()
    for done, account_pk in enumerate(accounts):
        report(done, len(accounts), f"Rule “{name}”")
        for chunk in _chunks(_candidates(rule_id, account_pk)):
            applied += _decide(account_pk, chunk, hold)
    _finish(rule_id, revision, applied, hold)
    return applied


def _accounts(rule: AuthorizationRule) -> Sequence[int]:
    """The accounts where it may have something to change."""
    holding = sa.select(Instance.account_id).where(
        Instance.auth_rule_id == rule.id, Instance.auth_source == AuthSource.RULE
    )
    places = set(db.session.scalars(holding.distinct()))
    if _is_in_force(rule.id):
        named = account_ids(load_conditions(rule.conditions))
        query = sa.select(Account.id) if named is None else sa.select(Account.id).where(Account.account_id.in_(named))
        places |= set(db.session.scalars(query))
    return sorted(places)


def _is_in_force(rule_id: int) -> bool:
    query = sa.select(AuthorizationRule.id).where(AuthorizationRule.id == rule_id, *in_force(database_now().date()))
    return db.session.scalar(query) is not None


def _candidates(rule_id: int, account_pk: int) -> "array[int]":
    """What of an account the rule allows now, or may allow: eight bytes each."""
    of_account = sa.select(Instance.id).where(Instance.account_id == account_pk)
    held = of_account.where(Instance.auth_rule_id == rule_id, Instance.auth_source == AuthSource.RULE)
    found = array("q", db.session.scalars(held))
    rule = db.session.get(AuthorizationRule, rule_id, populate_existing=True)
    if rule is not None and _is_in_force(rule_id):
        known = set(found)
        covering = of_account.where(
            Instance.auth_source.in_(DECIDED_BY_RULES), covered(load_conditions(rule.conditions))
        )
        found.extend(instance_pk for instance_pk in db.session.scalars(covering) if instance_pk not in known)
    db.session.rollback()
    return found


def _chunks(ids: "array[int]") -> Iterator[list[int]]:
    return (ids[start : start + CHUNK].tolist() for start in range(0, len(ids), CHUNK))


@retry_transient
def _decide(account_pk: int, instance_pks: list[int], hold: Callable[[], None]) -> Applied:
    try:
        hold()
        decided = decide_stored(account_pk, instance_pks)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    return Applied(decided.count(AuthStatus.AUTHORIZED), decided.count(AuthStatus.UNAUTHORIZED))


@retry_transient
def _finish(rule_id: int, revision: int, applied: Applied, hold: Callable[[], None]) -> None:
    """Note that this revision is applied; a later one is still to be."""
    try:
        hold()
        db.session.execute(
            sa.update(AuthorizationRule)
            .where(AuthorizationRule.id == rule_id, AuthorizationRule.revision >= revision)
            .values(applied_revision=revision, updated_at=AuthorizationRule.updated_at)
            .execution_options(synchronize_session=False)
        )
        rule = db.session.get_one(AuthorizationRule, rule_id, populate_existing=True)
        system_logs.record(
            "authorization",
            f"rule “{rule.name}” applied: {applied.authorized} authorized, {applied.unauthorized} unauthorized",
            rule=rule_id,
            revision=revision,
        )
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
