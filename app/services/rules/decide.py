"""Holds instances to the rules: those that nobody has decided by hand are authorized where a rule allows them.

Whoever calls has locked the account's row, as everybody does who changes its instances, and loads the rules after
that: what a rule has become meanwhile is either seen here, or sees what was decided here.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

import sqlalchemy as sa

from app.database import database_now, db
from app.models import AuthorizationRule, Instance
from app.models.types import AuthSource, AuthStatus, ChangeKind, RuleState
from app.services.instances.history import note_changes
from app.services.instances.tallies import AuthMove
from app.services.rules.conditions import Facts, load_conditions
from app.services.rules.verdicts import RuleInForce, RuleSet

#: How many ids one IN (...) holds.
CHUNK = 500

NOTE_LENGTH = 500

#: Where rules decide; elsewhere the baseline or a person has.
DECIDED_BY_RULES = (AuthSource.NONE, AuthSource.RULE)

#: Why an instance is unauthorized that was left to the rules.
NO_RULE = "No rule allows it"


class Standing(NamedTuple):
    """What an instance's authorization is, and rests on."""

    status: AuthStatus
    source: AuthSource
    rule_id: int | None
    reason: str


class Decided(NamedTuple):
    """What became of the instances that were looked at."""

    moves: Mapping[AuthMove, int]
    """For `move_auth_tallies`, unless the account is counted anew anyway."""

    written: int = 0
    """How many have become different, be it only in the rule that is named."""

    def count(self, status: AuthStatus) -> int:
        """How many have this status now and had the other one."""
        return sum(count for move, count in self.moves.items() if move.after is status)


def load_rules() -> RuleSet:
    """The rules that are in force now, by the database's clock."""
    rows = db.session.execute(
        sa.select(
            AuthorizationRule.id,
            AuthorizationRule.name,
            AuthorizationRule.owner_name,
            AuthorizationRule.expires_on,
            AuthorizationRule.conditions,
        ).where(*in_force(database_now().date()))
    )
    return RuleSet.of(
        RuleInForce(id_, name, owner, expires_on, load_conditions(conditions))
        for id_, name, owner, expires_on, conditions in rows
    )


def in_force(today: date) -> tuple[sa.ColumnElement[bool], ...]:
    """The conditions on `authorization_rules` for those that allow something on this day."""
    not_over = sa.or_(AuthorizationRule.expires_on.is_(None), AuthorizationRule.expires_on >= today)
    return AuthorizationRule.state == RuleState.ACTIVE, not_over


def decide(
    account_pk: int,
    rules: RuleSet,
    facts: Mapping[int, Facts],
    *,
    now: datetime,
    run_id: int | None = None,
    released_by: str = "",
) -> Decided:
    """Give these instances of one account, by `instances.id`, the status that the rules say, with its history.

    Those that a person or the baseline has decided stay as they are, unless somebody (`released_by`, a username) takes
    that back.
    """
    changes: dict[Standing, list[int]] = defaultdict(list)
    told: dict[tuple[Standing, AuthStatus], list[int]] = defaultdict(list)
    moves: Counter[AuthMove] = Counter()
    standings = list(_standings(list(facts), every_source=bool(released_by)))
    allowing = {each.instance_pk: rules.find(facts[each.instance_pk]) for each in standings}
    ended = _ended_reasons({each.was.rule_id for each in standings if allowing[each.instance_pk] is None}, now.date())
    for instance_pk, was, kind in standings:
        becomes = _verdict(was, allowing[instance_pk], ended)
        if becomes == was:
            continue
        changes[becomes].append(instance_pk)
        if becomes[:3] != was[:3]:
            told[becomes, was.status].append(instance_pk)
        if becomes.status is not was.status:
            moves[AuthMove(*kind, was.status, becomes.status)] += 1
    for becomes, instance_pks in changes.items():
        _write(instance_pks, becomes, now)
    for (becomes, before), instance_pks in told.items():
        change = (ChangeKind.CHANGED, "auth_status", before.value, becomes.status.value, None)
        note = f"Left to the rules by {released_by}: {becomes.reason}" if released_by else becomes.reason
        changed = ((instance_pk, change) for instance_pk in instance_pks)
        note_changes(account_pk, changed, seen_at=now, run_id=run_id, note=note[:NOTE_LENGTH])
    return Decided(moves, sum(map(len, changes.values())))


class _Found(NamedTuple):
    instance_pk: int
    was: Standing
    kind: tuple[str, str, str]
    """Region, state and lifecycle, by which it is counted."""


def _standings(instance_pks: Sequence[int], *, every_source: bool) -> Iterator[_Found]:
    query = sa.select(
        *(Instance.id, Instance.auth_status, Instance.auth_source, Instance.auth_rule_id, Instance.auth_reason),
        *(Instance.region, Instance.state, Instance.lifecycle),
    )
    if not every_source:
        query = query.where(Instance.auth_source.in_(DECIDED_BY_RULES))
    for start in range(0, len(instance_pks), CHUNK):
        for row in db.session.execute(query.where(Instance.id.in_(instance_pks[start : start + CHUNK]))):
            yield _Found(row[0], Standing(*row[1:5]), (row.region, row.state, row.lifecycle))


def _verdict(was: Standing, rule: RuleInForce | None, ended: Mapping[int | None, str]) -> Standing:
    if rule is not None:
        return Standing(AuthStatus.AUTHORIZED, AuthSource.RULE, rule.id, rule.reason)
    if was.source is AuthSource.RULE:
        # It still says which rule it was: whoever finds the instance can have that one renewed.
        return Standing(AuthStatus.UNAUTHORIZED, AuthSource.NONE, was.rule_id, ended.get(was.rule_id, NO_RULE))
    if was.source is not AuthSource.NONE or was.status is AuthStatus.AUTHORIZED:
        return Standing(AuthStatus.UNAUTHORIZED, AuthSource.NONE, None, NO_RULE)
    return was


def _ended_reasons(rule_ids: Collection[int | None], today: date) -> dict[int | None, str]:
    """Why each of these rules allows an instance no more that it did allow."""
    ids = {rule_id for rule_id in rule_ids if rule_id is not None}
    if not ids:
        return {}
    rows = db.session.execute(
        sa.select(
            AuthorizationRule.id, AuthorizationRule.name, AuthorizationRule.state, AuthorizationRule.expires_on
        ).where(AuthorizationRule.id.in_(ids))
    )
    return {row.id: ended_because(row.name, row.state, row.expires_on, today) for row in rows}


def ended_because(name: str, state: RuleState, expires_on: date | None, today: date) -> str:
    """The sentence that says why the rule allows something no more; fits into `instances.auth_reason`."""
    if state is RuleState.REMOVED:
        return f"Rule “{name}” was removed"
    if state is RuleState.PAUSED:
        return f"Rule “{name}” was paused"
    if expires_on is not None and expires_on < today:
        return f"Rule “{name}” expired on {expires_on.isoformat()}"
    return f"Rule “{name}” no longer covers it"


def _write(instance_pks: Sequence[int], becomes: Standing, now: datetime) -> None:
    statement = sa.update(Instance).values(
        auth_status=becomes.status,
        auth_source=becomes.source,
        auth_rule_id=becomes.rule_id,
        auth_reason=becomes.reason,
        auth_source_before=None,
        auth_changed_at=now,
        auth_changed_by_id=None,
    )
    for start in range(0, len(instance_pks), CHUNK):
        due = statement.where(Instance.id.in_(instance_pks[start : start + CHUNK]))
        db.session.execute(due.execution_options(synchronize_session=False))
