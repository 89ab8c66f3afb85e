"""Evaluates IAM policies as far as the simulation needs: principals, actions, and the conditions we hand out.

Source: IAM User Guide, "Policy evaluation logic": an explicit deny wins, then an allow, else an implicit deny.
"""

import fnmatch
import json
from collections.abc import Iterable, Mapping
from typing import Any

Policy = Mapping[str, Any]


def load(document: str | Policy) -> Policy:
    return json.loads(document) if isinstance(document, str) else document


def allows(policies: Iterable[Policy], action: str, context: Mapping[str, str | None]) -> bool:
    """Whether identity policies allow the action."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in _list(policy.get("Statement"))
        if _matches_action(statement, action) and _holds(statement.get("Condition", {}), context)
    }
    return "Allow" in effects and "Deny" not in effects


def trusts(policy: Policy, *, caller_arn: str, caller_account: str, external_id: str | None) -> bool:
    """Whether a role's trust policy lets this caller assume it."""
    principal = principal_arn(caller_arn)
    context = {"sts:ExternalId": external_id, "aws:PrincipalArn": principal}
    effects = {
        statement["Effect"]
        for statement in _list(policy.get("Statement"))
        if _matches_action(statement, "sts:AssumeRole")
        and _matches_principal(statement.get("Principal"), principal, caller_account)
        and _holds(statement.get("Condition", {}), context)
    }
    return "Allow" in effects and "Deny" not in effects


def principal_arn(caller_arn: str) -> str:
    """The ARN that `aws:PrincipalArn` has: for a session that of its role."""
    if ":assumed-role/" not in caller_arn:
        return caller_arn
    head, _, rest = caller_arn.partition(":assumed-role/")
    return head.replace(":sts:", ":iam:") + ":role/" + rest.split("/")[0]


def _matches_principal(principal: Any, caller: str, account: str) -> bool:
    if principal == "*":
        return True
    named = _list(principal.get("AWS")) if isinstance(principal, Mapping) else []
    root = f":iam::{account}:root"
    return any(item in ("*", account, caller) or item.endswith(root) for item in named)


def _matches_action(statement: Mapping[str, Any], action: str) -> bool:
    return any(fnmatch.fnmatchcase(action.lower(), item.lower()) for item in _list(statement.get("Action")))


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str | None]) -> bool:
    """Every operator and key must hold; a key that the request does not have does not match."""
    for operator, keys in conditions.items():
        for key, values in keys.items():
            actual = context.get(key)
            wanted = [str(value) for value in _list(values)]
            if actual is None:
                found = False
            elif operator in ("StringEquals", "ArnEquals"):
                found = actual in wanted
            elif operator in ("StringLike", "ArnLike"):
                found = any(fnmatch.fnmatchcase(actual, value) for value in wanted)
            else:
                raise NotImplementedError(f"The simulation does not know the condition operator {operator}")
            if not found:
                return False
    return True


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
