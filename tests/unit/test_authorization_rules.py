"""What rules of authorization allow, as a pure matter."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.rules.conditions import (
    Condition,
    Facts,
    Field,
    dump_conditions,
    load_conditions,
    meets,
)
from app.services.rules.verdicts import RuleInForce, RuleSet

INSTANCE = Facts(
    account_id="111111111111",
    region="us-east-1",
    instance_type="m5.large",
    lifecycle="spot",
    image_id="ami-0abc",
    subnet_id="subnet-1",
    tags={"team": "build", "aws:autoscaling:groupName": "runners", "empty": ""},
)

#: Few letters, so that what is asked for is often there.
WORDS = st.text("ab=", max_size=3)
FACTS = st.builds(
    Facts,
    account_id=st.sampled_from(["111111111111", "222222222222"]),
    region=st.sampled_from(["us-east-1", "us-west-2"]),
    instance_type=st.sampled_from(["m5.large", "m5.xlarge", "c5.large"]),
    lifecycle=st.sampled_from(["spot", "on-demand"]),
    image_id=WORDS,
    subnet_id=WORDS,
    tags=st.dictionaries(WORDS, WORDS, max_size=3),
)
VALUES = {
    Field.ACCOUNT: st.sampled_from(["111111111111", "222222222222", "333333333333"]),
    Field.REGION: st.sampled_from(["us-east-1", "us-*", "eu-*"]),
    Field.TYPE: st.sampled_from(["m5.large", "m5.*", "c5.*", "c*"]),
    Field.LIFECYCLE: st.sampled_from(["spot", "on-demand"]),
    Field.IMAGE: st.one_of(WORDS, WORDS.map(lambda text: text + "*")),
    Field.SUBNET: st.one_of(WORDS, WORDS.map(lambda text: text + "*")),
    Field.TAG: st.one_of(WORDS, WORDS.map(lambda text: text + "*")),
}


@st.composite
def conditions(draw: Any) -> Condition:
    field = draw(st.sampled_from(list(Field)))
    return Condition(field, tuple(draw(st.lists(VALUES[field], min_size=1, max_size=3))))


@st.composite
def rules(draw: Any) -> RuleInForce:
    expires_on = draw(st.none() | st.dates(date(2026, 1, 1), date(2026, 1, 5)))
    return RuleInForce(
        draw(st.integers(1, 1000)), "rule", "owner", expires_on, tuple(draw(st.lists(conditions(), max_size=3)))
    )


class TestACondition:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (Field.TAG, "team"),
            (Field.TAG, "team=build"),
            (Field.TAG, "team=bu*"),
            (Field.TAG, "team=*"),
            (Field.TAG, "aws:autoscaling:*"),
            (Field.TAG, "empty="),
            (Field.TYPE, "m5.large"),
            (Field.TYPE, "m5.*"),
            (Field.ACCOUNT, "111111111111"),
            (Field.IMAGE, "ami-0abc"),
            (Field.SUBNET, "subnet-*"),
            (Field.REGION, "us-east-1"),
            (Field.LIFECYCLE, "spot"),
        ],
    )
    def test_it_holds(self, field: Field, value: str) -> None:
        assert meets(INSTANCE, [Condition(field, (value,))])

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            (Field.TAG, "Team"),
            (Field.TAG, "tea"),
            (Field.TAG, "team="),
            (Field.TAG, "team=Build"),
            (Field.TAG, "team=uild*"),
            (Field.TAG, "owner=*"),
            (Field.TYPE, "m5"),
            (Field.TYPE, "m5a.*"),
            (Field.ACCOUNT, "222222222222"),
            (Field.LIFECYCLE, "on-demand"),
        ],
    )
    def test_it_does_not_hold(self, field: Field, value: str) -> None:
        assert not meets(INSTANCE, [Condition(field, (value,))])

    def test_its_values_are_alternatives(self) -> None:
        assert meets(INSTANCE, [Condition(Field.TYPE, ("c5.large", "m5.large"))])

    def test_without_values_it_never_holds(self) -> None:
        assert not meets(INSTANCE, [Condition(Field.TYPE, ())])


class TestARule:
    def test_without_conditions_it_allows_nothing(self) -> None:
        assert not meets(INSTANCE, [])

    @given(FACTS, st.lists(conditions(), min_size=1, max_size=3), conditions())
    def test_another_condition_never_adds_an_instance(
        self, facts: Facts, first: list[Condition], more: Condition
    ) -> None:
        if meets(facts, [*first, more]):
            assert meets(facts, first)

    @given(FACTS, conditions(), st.data())
    def test_another_value_never_takes_an_instance_away(self, facts: Facts, asked: Condition, data: Any) -> None:
        wider = Condition(asked.field, (*asked.values, data.draw(VALUES[asked.field])))
        if meets(facts, [asked]):
            assert meets(facts, [wider])

    @given(
        FACTS, st.lists(conditions(), max_size=4).flatmap(lambda all_: st.tuples(st.just(all_), st.permutations(all_)))
    )
    def test_the_order_of_its_conditions_is_nothing(
        self, facts: Facts, orders: tuple[list[Condition], list[Condition]]
    ) -> None:
        assert meets(facts, orders[0]) == meets(facts, orders[1])

    @given(st.lists(conditions(), max_size=3))
    def test_it_is_stored_as_it_is(self, asked: list[Condition]) -> None:
        assert load_conditions(dump_conditions(asked)) == tuple(asked)


class TestSeveralRules:
    @settings(max_examples=50)
    @given(FACTS, st.lists(rules(), max_size=4, unique_by=lambda rule: rule.id), st.randoms())
    def test_the_order_in_which_they_come_is_nothing(self, facts: Facts, some: list[RuleInForce], dice: Any) -> None:
        mixed = list(some)
        dice.shuffle(mixed)
        assert RuleSet.of(some).find(facts) == RuleSet.of(mixed).find(facts)

    @settings(max_examples=50)
    @given(FACTS, st.lists(rules(), max_size=4, unique_by=lambda rule: rule.id))
    def test_one_is_allowed_where_any_of_them_allows_it(self, facts: Facts, some: list[RuleInForce]) -> None:
        found = RuleSet.of(some).find(facts)
        assert (found is not None) == any(meets(facts, rule.conditions) for rule in some)
        narrowed = RuleSet.of(some).narrowed(facts.account_id, facts.region)
        assert narrowed.find(facts) == found

    def test_the_one_that_lasts_longest_is_named(self) -> None:
        asked = (Condition(Field.TYPE, ("m5.*",)),)
        soon = RuleInForce(1, "soon", "us", date(2026, 1, 1), asked)
        later = RuleInForce(2, "later", "us", date(2026, 1, 1) + timedelta(days=1), asked)
        ever = RuleInForce(3, "ever", "us", None, asked)
        assert RuleSet.of([soon, later]).find(INSTANCE) is later
        assert RuleSet.of([later, ever, soon]).find(INSTANCE) is ever
        assert later.reason == "Allowed by rule “later” (owner: us) until 2026-01-02"
