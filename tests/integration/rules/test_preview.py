"""What a preview says is what happens; SQL and Python mean the same by a condition."""

import random
from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Instance, InstanceTag
from app.models.types import AccountStatus, AuthSource, AuthStatus
from app.services.instances.tallies import refresh_tallies
from app.services.rules.conditions import Condition, Field, meets
from app.services.rules.preview import preview
from app.services.rules.queries import covered
from app.services.rules.stored import load_facts
from tests.factories import make_account, make_instance, make_user
from tests.integration.rules.rules import ask, change_rule, make_rule
from tests.integration.rules.test_apply import apply

#: What MariaDB, left to itself, takes for equal: case, accents, trailing spaces; wildcards of LIKE; other planes.
WORDS = ("a", "A", "ab", "ä", "a ", "a%", "a_", "", "=", "a=b", "🙂", "🙂a", "b")
TYPES = ("m5.large", "m5.xlarge", "m5a.large", "c5.large")
SOURCES = (
    (AuthSource.NONE, AuthStatus.UNAUTHORIZED),
    (AuthSource.PERSON, AuthStatus.UNAUTHORIZED),
    (AuthSource.PERSON, AuthStatus.AUTHORIZED),
    (AuthSource.BASELINE, AuthStatus.AUTHORIZED),
)


def fill(dice: random.Random, count: int) -> list[int]:
    """A fleet in two accounts whose facts are drawn."""
    owner = make_user("owner")
    accounts = [make_account(owner, account_id=digit * 12, status=AccountStatus.ACTIVE) for digit in "12"]
    ids = []
    for _ in range(count):
        source, status = dice.choice(SOURCES)
        instance = make_instance(
            dice.choice(accounts),
            instance_type=dice.choice(TYPES),
            lifecycle=dice.choice(("spot", "on-demand")),
            region=dice.choice(("us-east-1", "eu-west-1")),
            image_id=dice.choice(WORDS),
            subnet_id=dice.choice(WORDS),
            auth_source=source,
            auth_status=status,
        )
        for key in {dice.choice(WORDS).rstrip(" ") for _ in range(3)}:
            db.session.add(InstanceTag(instance_pk=instance.id, key=key, value=dice.choice(WORDS)))
        ids.append(instance.id)
    for account in accounts:
        refresh_tallies(account.id)
    db.session.commit()
    return ids


def draw(dice: random.Random) -> tuple[Condition, ...]:
    def value(field: Field) -> str:
        if field is Field.ACCOUNT:
            return dice.choice("123") * 12
        if field is Field.TYPE:
            return dice.choice((*TYPES, "m5.*", "m*", "x1.*"))
        if field is Field.REGION:
            return dice.choice(("us-east-1", "eu-*", "us-*"))
        if field is Field.LIFECYCLE:
            return dice.choice(("spot", "on-demand"))
        word = dice.choice(WORDS)
        if field is Field.TAG and dice.random() < 0.5:
            word = f"{dice.choice(WORDS)}={word}"
        return word + dice.choice(("", "*"))

    fields = dice.sample(list(Field), dice.randint(1, 3))
    return tuple(Condition(field, tuple(value(field) for _ in range(dice.randint(1, 3)))) for field in fields)


def found(conditions: Sequence[Condition]) -> set[int]:
    return set(db.session.scalars(sa.select(Instance.id).where(covered(conditions))))


def statuses() -> dict[int, AuthStatus]:
    return {row.id: row.auth_status for row in db.session.execute(sa.select(Instance.id, Instance.auth_status))}


class TestTheQuery:
    def test_it_finds_what_the_matcher_allows(self, any_database: Flask) -> None:
        dice = random.Random(7)
        with any_database.app_context():
            facts = load_facts(fill(dice, 60))
            hits = 0
            for _ in range(150):
                asked = draw(dice)
                expected = {instance_pk for instance_pk, each in facts.items() if meets(each, asked)}
                assert found(asked) == expected, asked
                hits += len(expected)
            assert hits > 500, "the conditions drawn are about this fleet"

    def test_without_conditions_it_finds_nothing(self, sqlite_database: Flask) -> None:
        with sqlite_database.app_context():
            fill(random.Random(1), 3)
            assert found(()) == set()


class TestAPreview:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_what_it_says_is_what_happens(self, any_database: Flask, seed: int) -> None:
        dice = random.Random(seed)
        with any_database.app_context():
            fill(dice, 60)
            rule_id = make_rule("one", draw(dice)).id
            make_rule("two", draw(dice))
            db.session.commit()
        apply(any_database)
        for _ in range(2):
            with any_database.app_context():
                asked = draw(dice)
                said = preview(asked, rule_id=rule_id)
                covering = found(asked)
                before = statuses()
                change_rule(rule_id, conditions=[{"field": c.field.value, "values": list(c.values)} for c in asked])
                db.session.commit()
            apply(any_database)
            with any_database.app_context():
                after = statuses()
                grown = {pk for pk in after if (before[pk], after[pk]) == tuple(AuthStatus)[::-1]}
                shrunk = {pk for pk in after if (before[pk], after[pk]) == tuple(AuthStatus)}
                assert (said.becomes.number, said.falls_back.number) == (len(grown), len(shrunk))
                assert {row.id for row in said.becoming} == grown
                assert {row.id for row in said.falling} == shrunk
                assert said.covered.number == len(covering)
                assert sum(account[2] for account in said.by_account) == len(grown)

    def test_it_counts_no_further_than_it_says(self, sqlite_database: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.services.rules.preview.COUNT_CAP", 5)
        monkeypatch.setattr("app.services.paging.COUNT_CAP", 5)
        with sqlite_database.app_context():
            account = make_account(make_user("owner"), status=AccountStatus.ACTIVE)
            for _ in range(9):
                make_instance(account, auth_status=AuthStatus.UNAUTHORIZED)
            said = preview(ask(type="m5.*"))
            assert (str(said.covered), str(said.becomes), said.is_sampled) == ("5+", "5+", True)

    def test_of_a_rule_that_is_paused_it_says_what_falls_back(self, sqlite_database: Flask) -> None:
        with sqlite_database.app_context():
            account = make_account(make_user("owner"), status=AccountStatus.ACTIVE)
            ids = {make_instance(account, auth_status=AuthStatus.UNAUTHORIZED).id for _ in range(3)}
            account_pk = account.id
            rule_id = make_rule("one", ask(type="m5.*")).id
            db.session.commit()
        apply(sqlite_database)
        with sqlite_database.app_context():
            said = preview(None, rule_id=rule_id)
            assert (said.becomes.number, said.falls_back.number) == (0, 3)
            assert {row.id for row in said.falling} == ids
            name = db.session.get_one(Account, account_pk).account_name
            assert [(each[0], each[3]) for each in said.by_account] == [(name, 3)]
