"""IAM's evaluation of identity policies: which statements match, and what they decide. Pure.

Source: IAM guide, "Policy evaluation logic" and "Condition operators". Resources are compared by pattern; an
operator that is not known here is an error, not a silent yes or no.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

Document = Mapping[str, Any]

READ_INSTANCES = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["ec2:Describe*"], "Resource": "*"}],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


class Decision(Enum):
    """What a set of policies says about one action."""

    ALLOWED = "allowed"
    DENIED = "explicitly denied"
    SILENT = "not mentioned"


def decide(documents: Iterable[Document], action: str, resource: str, context: Mapping[str, str]) -> Decision:
    """An explicit deny in any document wins; else an allow in any; else silence, which means no."""
    found = Decision.SILENT
    for statement in statements(documents):
        if not (matches_action(statement, action) and _matches_resource(statement, resource)):
            continue
        if not meets(statement.get("Condition"), context):
            continue
        if statement.get("Effect") == "Deny":
            return Decision.DENIED
        found = Decision.ALLOWED
    return found


def parse(text: str | Document) -> Document:
    """A policy from its JSON text, or as moto's CloudFormation keeps it. Raises ValueError where it is none."""
    document = json.loads(text) if isinstance(text, str) else text
    if not isinstance(document, Mapping) or "Statement" not in document:
        raise ValueError("A policy has a Statement.")
    return document


def statements(documents: Iterable[Document]) -> Iterable[Document]:
    for document in documents:
        yield from listed(document.get("Statement"))


def matches_action(statement: Document, action: str) -> bool:
    if "NotAction" in statement:
        return not any(like(pattern.lower(), action.lower()) for pattern in listed(statement["NotAction"]))
    return any(like(pattern.lower(), action.lower()) for pattern in listed(statement.get("Action")))


def _matches_resource(statement: Document, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(like(pattern, resource) for pattern in listed(statement["NotResource"]))
    return any(like(pattern, resource) for pattern in listed(statement.get("Resource")))


def meets(conditions: Document | None, context: Mapping[str, str]) -> bool:
    """Whether every operator holds for every one of its keys. `context` has lower-case names."""
    for operator, wanted in (conditions or {}).items():
        for key, values in wanted.items():
            if not _holds(operator, context.get(key.lower()), [_text(value) for value in listed(values)]):
                return False
    return True


def _holds(operator: str, actual: str | None, values: list[str]) -> bool:
    if operator == "Null":
        return (actual is None) == (values == ["true"])
    name, is_optional = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    is_negated = "Not" in name
    compare = _OPERATORS.get(name.replace("Not", ""))
    if compare is None:
        raise ValueError(f"The simulation does not know the condition operator {operator}.")
    if actual is None:
        return is_optional or is_negated
    return any(compare(value, actual) for value in values) != is_negated


def like(pattern: str, text: str) -> bool:
    """`*` stands for any run of characters, `?` for one."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _arn_like(pattern: str, arn: str) -> bool:
    """Part by part: a `*` does not reach across the first five colons."""
    wanted, actual = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(actual) and all(map(like, wanted, actual))


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, actual: value == actual,
    "StringEqualsIgnoreCase": lambda value, actual: value.lower() == actual.lower(),
    "StringLike": like,
    "ArnLike": _arn_like,
    "ArnEquals": _arn_like,
    "Bool": lambda value, actual: value.lower() == actual.lower(),
}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def listed(value: Any) -> list[Any]:
    """IAM takes one thing or a list of them nearly everywhere."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
