"""Makes rules in tests, and looks at what became of the instances."""

from datetime import date
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import AuthorizationRule, AuthorizationRuleAccount, Instance, InstanceChange
from app.models.types import RuleState
from app.services.rules.conditions import Condition, Field, account_ids, dump_conditions


def ask(**values: str | tuple[str, ...]) -> tuple[Condition, ...]:
    """`ask(type="m5.*", tag=("team=build", "team=ci"))`"""
    return tuple(
        Condition(Field(name), (value,) if isinstance(value, str) else value) for name, value in values.items()
    )


def make_rule(
    name: str, conditions: tuple[Condition, ...], *, expires_on: date | None = None, **values: Any
) -> AuthorizationRule:
    """A row that is in force and still to be applied, without the history of how it was made."""
    accounts = account_ids(conditions)
    rule = AuthorizationRule(
        name=name,
        conditions=dump_conditions(conditions),
        covers_all_accounts=accounts is None,
        expires_on=expires_on,
        **{"owner_name": "build team", "state": RuleState.ACTIVE, **values},
    )
    db.session.add(rule)
    db.session.flush()
    db.session.add_all(AuthorizationRuleAccount(rule_id=rule.id, account_id=each) for each in accounts or ())
    db.session.flush()
    return rule


def change_rule(rule_id: int, **values: Any) -> None:
    """Change it, so that it is to be applied again."""
    rule = db.session.get_one(AuthorizationRule, rule_id)
    for name, value in values.items():
        setattr(rule, name, value)
    rule.revision += 1
    db.session.flush()


def standings() -> dict[str, tuple[str, str, str]]:
    """Status, source and reason of every instance, by its name."""
    db.session.expire_all()
    return {
        row.name: (row.auth_status.value, row.auth_source.value, row.auth_reason)
        for row in db.session.scalars(sa.select(Instance))
    }


def told(name: str) -> list[tuple[str, str, str]]:
    """What the history of the instance says of its authorization: before, after, why; in order."""
    query = (
        sa.select(InstanceChange)
        .join(Instance, Instance.id == InstanceChange.instance_pk)
        .where(Instance.name == name, InstanceChange.field == "auth_status")
        .order_by(InstanceChange.id)
    )
    return [(row.before, row.after, row.note or "") for row in db.session.scalars(query)]
