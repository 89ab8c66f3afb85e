"""What a rule asks of an instance, as SQL: for previews and for finding what it is about, narrowed by indexes.

Means the same as `conditions.py`; a test holds the two together.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from app.models import Account, Instance, InstanceTag
from app.services.instances.filters import begins
from app.services.rules.conditions import ANY_END, ATTRIBUTES, Condition, Field


def covered(conditions: Iterable[Condition]) -> sa.ColumnElement[bool]:
    """The condition on `instances` that every one of these holds; false where there is none."""
    listed = [_holds(condition) for condition in conditions]
    return sa.and_(*listed) if listed else sa.false()


def _holds(condition: Condition) -> sa.ColumnElement[bool]:
    if condition.field is Field.TAG:
        carriers = sa.select(InstanceTag.instance_pk).where(sa.or_(*map(_has_tag, condition.values)))
        return Instance.id.in_(carriers)
    if condition.field is Field.ACCOUNT:
        return Instance.account_id.in_(sa.select(Account.id).where(_is_any(Account.account_id, condition.values)))
    return _is_any(getattr(Instance, ATTRIBUTES[condition.field]), condition.values)


def _is_any(column: Any, values: Iterable[str]) -> sa.ColumnElement[bool]:
    return sa.or_(sa.false(), *(_is(column, value) for value in values))


def _has_tag(wanted: str) -> sa.ColumnElement[bool]:
    key, divider, value = wanted.partition("=")
    if divider:
        return sa.and_(InstanceTag.key == key, _is(InstanceTag.value, value))
    exact = InstanceTag.key == key
    return sa.or_(exact, _is(InstanceTag.key, key)) if key.endswith(ANY_END) else exact


def _is(column: Any, wanted: str) -> sa.ColumnElement[bool]:
    return begins(column, wanted[:-1]) if wanted.endswith(ANY_END) else column == wanted
