"""Holds every instance against the rules as they are now: the proof that statuses say what the rules say."""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from app.database import db
from app.models import AuthorizationRule, Instance
from app.models.types import AuthSource
from app.services.rules.decide import DECIDED_BY_RULES, Decided
from app.services.rules.stored import decide_stored


@dataclass(frozen=True, slots=True)
class Checked:
    """Some instances of an account that were held against the rules."""

    examined: int
    decided: Decided


def check_account(account_pk: int, *, batch_size: int = 500) -> Iterator[Checked]:
    """Decide the account's instances anew, a batch at a time, in the current transaction.

    End it after each batch: by a commit to keep what was decided, by a rollback to have only looked.
    """
    last = 0
    while True:
        batch = (
            sa.select(Instance.id)
            .where(Instance.account_id == account_pk, Instance.auth_source.in_(DECIDED_BY_RULES), Instance.id > last)
            .order_by(Instance.id)
            .limit(batch_size)
        )
        instance_pks = list(db.session.scalars(batch))
        if not instance_pks:
            return
        last = instance_pks[-1]
        yield Checked(len(instance_pks), decide_stored(account_pk, instance_pks))


def survey_rules() -> list[tuple[AuthorizationRule, int]]:
    """Every rule with how many instances it allows, by name."""
    allowed = (
        sa.select(Instance.auth_rule_id, sa.func.count())
        .where(Instance.auth_source == AuthSource.RULE)
        .group_by(Instance.auth_rule_id)
    )
    counts = {rule_id: number for rule_id, number in db.session.execute(allowed)}  # noqa: C416 - a Row is no pair
    rules = db.session.scalars(
        sa.select(AuthorizationRule).order_by(sa.func.lower(AuthorizationRule.name), AuthorizationRule.id)
    )
    return [(rule, counts.get(rule.id, 0)) for rule in rules]
