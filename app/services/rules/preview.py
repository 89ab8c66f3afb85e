"""What a change of a rule would do, before it is made: counted by the database, and never beyond COUNT_CAP.

Candidates are found by indexes (tags, type, image, ...), and at most COUNT_CAP + 1 of each kind are looked at.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance
from app.models.types import AuthSource, AuthStatus
from app.services.paging import COUNT_CAP, Count
from app.services.rules.conditions import Conditions
from app.services.rules.decide import load_rules
from app.services.rules.queries import covered

#: How many instances each table shows, and how many accounts.
SHOWN = 50

_COLUMNS = (
    *(Instance.id, Instance.instance_id, Instance.name, Instance.instance_type, Instance.region, Instance.state),
    Account.account_name,
)


@dataclass(frozen=True, slots=True)
class Preview:
    """Instances by what would become of them."""

    covered: Count
    """All that the conditions are true of."""

    becomes: Count
    """Unauthorized now, authorized then."""

    falls_back: Count
    """Allowed by this rule alone now, unauthorized then."""

    stays: Count
    """Allowed by a rule now, and then: by this one, or by another."""

    denied: Count
    authorized: Count
    """Covered, but a person has decided: not authorized, or authorized. Those stay as they are."""

    baseline: Count
    """Covered, but authorized as the baseline already."""

    is_sampled: bool
    """Whether `stays`, `denied`, `authorized` and `baseline` are of the first COUNT_CAP that are covered."""

    by_account: Sequence[tuple[str, str, int, int]]
    """(name, AWS id, how many become authorized, how many fall back), the most affected first."""

    becoming: Sequence[Any]
    falling: Sequence[Any]
    """The first SHOWN of each: rows with id, instance_id, name, instance_type, region, state, account_name."""

    @property
    def changes(self) -> bool:
        return bool(self.becomes or self.falls_back)


def preview(conditions: Conditions | None, *, rule_id: int | None = None) -> Preview:
    """What it would do if the rule `rule_id` (a new one: None) had these conditions (none: it is paused or removed)."""
    allowed = sa.false() if conditions is None else covered(conditions)
    becoming = sa.select(Instance.id, Instance.account_id).where(
        allowed, Instance.auth_status == AuthStatus.UNAUTHORIZED, Instance.auth_source == AuthSource.NONE
    )
    falling = _falling(allowed, rule_id)
    grown, shrunk = _by_account(becoming), _by_account(falling)
    others = _by_standing(allowed) if conditions is not None else Counter()
    return Preview(
        covered=Count.capped(others.total()),
        becomes=Count.capped(grown.total()),
        falls_back=Count.capped(shrunk.total()),
        stays=Count(others[AuthSource.RULE, AuthStatus.AUTHORIZED]),
        denied=Count(others[AuthSource.PERSON, AuthStatus.UNAUTHORIZED]),
        authorized=Count(others[AuthSource.PERSON, AuthStatus.AUTHORIZED]),
        baseline=Count(others[AuthSource.BASELINE, AuthStatus.AUTHORIZED]),
        is_sampled=others.total() > COUNT_CAP,
        by_account=_accounts(grown, shrunk),
        becoming=_first(becoming),
        falling=_first(falling),
    )


def _falling(allowed: sa.ColumnElement[bool], rule_id: int | None) -> Any:
    """What rests on this rule now, would not any more, and on no other."""
    held = (
        sa.select(Instance.id)
        .where(Instance.auth_rule_id == rule_id, Instance.auth_source == AuthSource.RULE)
        .limit(COUNT_CAP + 1)
        .subquery()
    )
    others = [covered(rule.conditions) for rule in load_rules().rules if rule.id != rule_id]
    return (
        sa.select(Instance.id, Instance.account_id)
        .join(held, held.c.id == Instance.id)
        .where(~sa.or_(allowed, *others))
    )


def _by_account(query: Any) -> Counter[int]:
    some = query.limit(COUNT_CAP + 1).subquery()
    rows = db.session.execute(sa.select(some.c.account_id, sa.func.count()).group_by(some.c.account_id))
    return Counter({account_pk: number for account_pk, number in rows})  # noqa: C416 - a Row is no pair to Counter()


def _by_standing(allowed: sa.ColumnElement[bool]) -> Counter[tuple[AuthSource, AuthStatus]]:
    some = sa.select(Instance.auth_source, Instance.auth_status).where(allowed).limit(COUNT_CAP + 1).subquery()
    columns = (some.c.auth_source, some.c.auth_status)
    counted = db.session.execute(sa.select(*columns, sa.func.count()).group_by(*columns))
    return Counter({(source, status): number for source, status, number in counted})


def _accounts(grown: Counter[int], shrunk: Counter[int]) -> list[tuple[str, str, int, int]]:
    affected = [account_pk for account_pk, _ in (grown + shrunk).most_common(SHOWN)]
    query = sa.select(Account.id, Account.account_name, Account.account_id).where(Account.id.in_(affected))
    names = {account_pk: (name, account_id) for account_pk, name, account_id in db.session.execute(query)}
    return [(*names[pk], grown[pk], shrunk[pk]) for pk in affected if pk in names]


def _first(query: Any) -> Sequence[Any]:
    some = query.limit(SHOWN).subquery()
    rows: Iterable[Any] = db.session.execute(
        sa.select(*_COLUMNS).join(some, some.c.id == Instance.id).join(Account, Account.id == Instance.account_id)
    )
    return sorted(rows, key=lambda row: (row.account_name, row.name, row.id))
