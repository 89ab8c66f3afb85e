"""Whether a role's trust policy lets a caller assume it. Pure.

Source: IAM guide, "AWS JSON policy elements: Principal" and "Access to accounts owned by third parties". As on AWS,
naming an account's root as principal means whoever that account itself permits, which the caller's own policies
decide elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demo.aws.policies import listed, matches_action, meets, statements

ACTION = "sts:AssumeRole"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: `arn` as GetCallerIdentity gives it, `principal_arn` as `aws:PrincipalArn` has it.

    The two differ for a session, whose principal is its role (with the role's path).
    """

    account_id: str
    arn: str
    principal_arn: str
    user_id: str


def trust_policy(principal_arn: str, external_id: str | None, principal_pattern: str | None = None) -> dict[str, Any]:
    """The usual policy: one principal, with an External ID (None: any, which is the mistake to be found)."""
    conditions: dict[str, Any] = {}
    if external_id is not None:
        conditions["StringEquals"] = {"sts:ExternalId": external_id}
    if principal_pattern is not None:
        conditions["ArnLike"] = {"aws:PrincipalArn": principal_pattern}
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": principal_arn}, "Action": ACTION}
    if conditions:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


def is_trusted(policy: Mapping[str, Any], caller: Caller, external_id: str | None) -> bool:
    """Whether some statement allows and none denies. An absent External ID is no value, not an empty one."""
    context = {
        "aws:principalarn": caller.principal_arn,
        "aws:principalaccount": caller.account_id,
        "aws:userid": caller.user_id,
    }
    if external_id is not None:
        context["sts:externalid"] = external_id
    allowed = False
    for statement in statements([policy]):
        if not matches_action(statement, ACTION) or not _names(statement.get("Principal"), caller):
            continue
        if not meets(statement.get("Condition"), context):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = True
    return allowed


def _names(principal: Any, caller: Caller) -> bool:
    if principal == "*":
        return True
    if not isinstance(principal, Mapping):
        return False
    return any(_is(name, caller) for name in listed(principal.get("AWS")))


def _is(name: str, caller: Caller) -> bool:
    """No wildcards here: AWS allows none in a principal's ARN, only a `*` alone."""
    partition = caller.arn.split(":")[1]
    whole_account = (caller.account_id, f"arn:{partition}:iam::{caller.account_id}:root")
    unique_id = caller.user_id.split(":")[0]
    return name == "*" or name in whole_account or name in (caller.arn, caller.principal_arn, unique_id)
