"""What a rule asks of an instance, and whether an instance meets it; pure.

The same in SQL is `queries.py`; a test holds the two together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

#: Ends a value of which only the beginning is given.
ANY_END = "*"


class Field(StrEnum):
    """What a condition can be about."""

    TAG = "tag"
    TYPE = "type"
    ACCOUNT = "account"
    IMAGE = "image"
    SUBNET = "subnet"
    REGION = "region"
    LIFECYCLE = "lifecycle"


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds where any of its values does. A value that ends in `*` stands for all that begin so.

    Of a tag, `key` asks whether it is there and `key=value` for the value; the first `=` divides them.
    """

    field: Field
    values: tuple[str, ...]


Conditions = tuple[Condition, ...]


class Facts(NamedTuple):
    """What of an instance rules may ask about, as it is stored."""

    account_id: str
    """AWS's id of the account."""

    region: str
    instance_type: str
    lifecycle: str
    image_id: str
    subnet_id: str
    tags: Mapping[str, str]
    """As `instance_tags` has them: long ones cut, and no spaces at the end of a key."""


#: The attribute of `Facts` that each field asks about, all but tags; columns of `instances`, too, all but the account.
ATTRIBUTES = {
    Field.TYPE: "instance_type",
    Field.ACCOUNT: "account_id",
    Field.IMAGE: "image_id",
    Field.SUBNET: "subnet_id",
    Field.REGION: "region",
    Field.LIFECYCLE: "lifecycle",
}


def meets(facts: Facts, conditions: Iterable[Condition]) -> bool:
    """Whether every condition holds; where there is none, nothing does: a rule says what it is about."""
    listed = tuple(conditions)
    return bool(listed) and all(holds(condition, facts) for condition in listed)


def holds(condition: Condition, facts: Facts) -> bool:
    if condition.field is Field.TAG:
        return any(_has_tag(facts.tags, value) for value in condition.values)
    found = getattr(facts, ATTRIBUTES[condition.field])
    return any(_is(found, value) for value in condition.values)


def _has_tag(tags: Mapping[str, str], wanted: str) -> bool:
    key, divider, value = wanted.partition("=")
    if divider:
        return key in tags and _is(tags[key], value)
    return key in tags or (key.endswith(ANY_END) and any(_is(own, key) for own in tags))


def _is(found: str, wanted: str) -> bool:
    return found.startswith(wanted[:-1]) if wanted.endswith(ANY_END) else found == wanted


def dump_conditions(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    """As they are stored."""
    return [{"field": condition.field.value, "values": list(condition.values)} for condition in conditions]


def load_conditions(stored: Sequence[Mapping[str, Any]]) -> Conditions:
    """As they were stored."""
    return tuple(Condition(Field(each["field"]), tuple(each["values"])) for each in stored)


def account_ids(conditions: Iterable[Condition]) -> tuple[str, ...] | None:
    """AWS's ids of the accounts that the conditions are restricted to; None where they cover all."""
    return next((condition.values for condition in conditions if condition.field is Field.ACCOUNT), None)
