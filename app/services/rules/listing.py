"""Reading rules: the list, one with what it allows now, its history, and those that want looking at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from app.database import database_now, db
from app.errors import NotFoundError
from app.models import Account, AuthorizationRule, AuthorizationRuleEdit, Instance, User
from app.models.types import AuthSource, Role, RuleState
from app.services.paging import COUNT_CAP, Count
from app.services.rules.conditions import Field, load_conditions
from app.services.rules.scope import visible_rules
from app.services.scope import in_visible_account, visible_accounts

#: A rule that ends within so many days is spoken of, here and in the log, as is one that ended within so many.
SOON = timedelta(days=14)

#: How many of the instances that it allows a rule's page shows, and how much of its history.
SHOWN_INSTANCES = 50
SHOWN_EDITS = 50

#: How many counts one statement holds: SQLite joins at most 500.
_COUNTS = 100

_BY_END = (AuthorizationRule.expires_on.is_(None), AuthorizationRule.expires_on)
SORTS: Mapping[str, Sequence[Any]] = {
    "name": (sa.func.lower(AuthorizationRule.name),),
    "owner": (sa.func.lower(AuthorizationRule.owner_name),),
    "expires": _BY_END,
    "state": (AuthorizationRule.state,),
}
DEFAULT_SORT = "name"


@dataclass(frozen=True, slots=True)
class ShownCondition:
    """A condition as a page shows it."""

    field: Field
    values: Sequence[tuple[str, str]]
    """Each value, and what else it is called: an account's name."""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule as lists show it."""

    rule: AuthorizationRule
    conditions: Sequence[ShownCondition]
    allows: Count
    """How many of the instances that the viewer may see it allows now; of an ended one, how many fell back."""

    days_left: int | None
    """Until the end of its last day, that one not counted; negative after it; None where it does not end."""


def parse_sort(text: str) -> tuple[str, bool]:
    """The name of a sort and whether it falls; nonsense is the default."""
    name, is_descending = text.removeprefix("-"), text.startswith("-")
    return (name, is_descending) if name in SORTS else (DEFAULT_SORT, False)


def list_rules(viewer: User, *, sort: str = DEFAULT_SORT, removed: bool = False) -> list[RuleRow]:
    """The rules that the viewer may see, or those that were removed; at most as many as there can be."""
    name, is_descending = parse_sort(sort)
    order = [column.desc() if is_descending else column for column in SORTS[name]]
    is_removed = AuthorizationRule.state == RuleState.REMOVED
    rules = db.session.scalars(
        sa.select(AuthorizationRule)
        .where(visible_rules(viewer), is_removed if removed else ~is_removed)
        .order_by(*order, AuthorizationRule.id)
        .limit(500)
    ).all()
    return _rows(viewer, rules)


def get_rule(viewer: User, rule_id: int) -> AuthorizationRule:
    """Raises:
    NotFoundError: there is none, or it is not the viewer's to see.
    """
    query = sa.select(AuthorizationRule).where(AuthorizationRule.id == rule_id, visible_rules(viewer))
    rule = db.session.scalar(query)
    if rule is None:
        raise NotFoundError("There is no such rule.")
    return rule


def describe_rule(viewer: User, rule: AuthorizationRule) -> RuleRow:
    """The rule, which the viewer may see, as lists show it."""
    return _rows(viewer, [rule])[0]


def list_instances(viewer: User, rule: AuthorizationRule) -> Sequence[Any]:
    """The first of the instances that it allows now or, of one that has ended, that fell back; in no certain order."""
    return db.session.execute(
        sa.select(
            *(Instance.id, Instance.instance_id, Instance.name, Instance.instance_type, Instance.region),
            *(Instance.state, Instance.auth_changed_at, Account.account_name),
        )
        .join(Account, Account.id == Instance.account_id)
        .where(*_of_rule(rule), visible_accounts(viewer))
        .limit(SHOWN_INSTANCES)
    ).all()


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that was done to a rule."""

    edit: AuthorizationRuleEdit
    changes: Sequence[tuple[str, str, str]]
    """(what, before, after) of what the rule says."""


def list_edits(viewer: User, rule: AuthorizationRule) -> list[Edit]:
    """What was done to the rule, which the viewer may see, the latest first."""
    edits = db.session.scalars(
        sa.select(AuthorizationRuleEdit)
        .where(AuthorizationRuleEdit.rule_id == rule.id)
        .order_by(AuthorizationRuleEdit.id.desc())
        .limit(SHOWN_EDITS + 1)
    ).all()
    ids = None if viewer.can(Role.ADMIN) else _own_account_ids(viewer)
    earlier = [*edits[1:], None]
    pairs = zip(edits[:SHOWN_EDITS], earlier, strict=False)
    return [
        Edit(edit, list(_differences(before.content if before else {}, edit.content, ids))) for edit, before in pairs
    ]


@dataclass(frozen=True, slots=True)
class RuleNotices:
    """Rules that want looking at; each list the most urgent first."""

    expiring: Sequence[RuleRow]
    """In force, and their last day is within SOON; `allows` is what would fall back, but for other rules."""

    expired: Sequence[RuleRow]
    """Ended by themselves within SOON; `allows` is what fell back and was allowed by nobody since."""

    def __bool__(self) -> bool:
        return bool(self.expiring or self.expired)


def list_notices(viewer: User) -> RuleNotices:
    """What of the viewer's rules to say on the dashboard and above the list; in a fixed number of statements."""
    today = database_now().date()
    ends = AuthorizationRule.expires_on.between(today - SOON, today + SOON)
    is_live = AuthorizationRule.state.in_((RuleState.ACTIVE, RuleState.EXPIRED))
    query = sa.select(AuthorizationRule).where(visible_rules(viewer), is_live, ends)
    rows = _rows(viewer, db.session.scalars(query.order_by(AuthorizationRule.expires_on, AuthorizationRule.id)).all())
    expired = [row for row in rows if row.days_left is not None and row.days_left < 0]
    expiring = [row for row in rows if row.rule.state is RuleState.ACTIVE and row not in expired]
    return RuleNotices(expiring, expired[::-1])


def show_conditions(viewer: User, stored: Sequence[Sequence[Mapping[str, Any]]]) -> list[list[ShownCondition]]:
    """The conditions of several rules with the names of accounts; a client is told of the own accounts only."""
    loaded = [load_conditions(each) for each in stored]
    wanted = {
        value for rule in loaded for condition in rule if condition.field is Field.ACCOUNT for value in condition.values
    }
    names: dict[str, str] = {}
    if wanted:
        query = sa.select(Account.account_id, Account.account_name).where(visible_accounts(viewer))
        names = {
            each.account_id: each.account_name
            for each in db.session.execute(query.where(Account.account_id.in_(wanted)))
        }
    sees_all = viewer.can(Role.ADMIN)
    return [
        [
            ShownCondition(
                condition.field,
                [
                    (value, names.get(value, "") if condition.field is Field.ACCOUNT else "")
                    for value in condition.values
                    if sees_all or condition.field is not Field.ACCOUNT or value in names
                ],
            )
            for condition in rule
        ]
        for rule in loaded
    ]


def _rows(viewer: User, rules: Sequence[AuthorizationRule]) -> list[RuleRow]:
    counts = _count(viewer, rules)
    today = database_now().date()
    shown = show_conditions(viewer, [rule.conditions for rule in rules])
    return [
        RuleRow(rule, conditions, counts[rule.id], _days_left(rule.expires_on, today))
        for rule, conditions in zip(rules, shown, strict=True)
    ]


def _days_left(expires_on: date | None, today: date) -> int | None:
    return None if expires_on is None else (expires_on - today).days


def _of_rule(rule: AuthorizationRule) -> tuple[sa.ColumnElement[bool], ...]:
    source = AuthSource.RULE if rule.state is RuleState.ACTIVE else AuthSource.NONE
    return Instance.auth_rule_id == rule.id, Instance.auth_source == source


def _count(viewer: User, rules: Sequence[AuthorizationRule]) -> dict[int, Count]:
    """Counted to COUNT_CAP, all in one statement: a rule may allow a million."""
    found: dict[int, Count] = {}
    for start in range(0, len(rules), _COUNTS):
        parts = []
        for rule in rules[start : start + _COUNTS]:
            some = sa.select(Instance.id).where(*_of_rule(rule), in_visible_account(Instance.account_id, viewer))
            some_rows = some.limit(COUNT_CAP + 1).subquery()
            parts.append(sa.select(sa.literal(rule.id), sa.func.count()).select_from(some_rows))
        for rule_id, number in db.session.execute(sa.union_all(*parts)):
            found[rule_id] = Count.capped(number)
    return found


def _own_account_ids(viewer: User) -> set[str]:
    return set(db.session.scalars(sa.select(Account.account_id).where(visible_accounts(viewer))))


#: What the parts of a rule are called.
_PARTS = {
    "name": "Name",
    "conditions": "Conditions",
    "owner_name": "Owner",
    "owner_contact": "Contact",
    "note": "Reason",
    "expires_on": "Last day",
}


def _differences(
    before: Mapping[str, Any], after: Mapping[str, Any], accounts: set[str] | None
) -> Iterator[tuple[str, str, str]]:
    for name, label in _PARTS.items():
        old, new = before.get(name), after.get(name)
        if name == "conditions":
            old, new = (describe_conditions(each or [], accounts) for each in (old, new))
        if before and old != new:
            yield label, str(old or ""), str(new or "")


def describe_conditions(stored: Sequence[Mapping[str, Any]], accounts: set[str] | None = None) -> str:
    """`tag team=build or team=ci; type m5.*`, with no other accounts than these (None: with all)."""
    parts = []
    for condition in load_conditions(stored):
        values = condition.values
        if condition.field is Field.ACCOUNT and accounts is not None:
            values = tuple(value for value in values if value in accounts)
        parts.append(f"{condition.field.value} {' or '.join(values)}")
    return "; ".join(parts)
