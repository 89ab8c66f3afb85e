"""STS as Spotkeeper uses it: AssumeRole with the role's trust policy enforced, and GetCallerIdentity.

moto's own AssumeRole gives a session of any role, existing or not, to anybody. Source: STS API reference.
"""

import re
from datetime import datetime, timedelta

from moto.iam.models import iam_backends
from moto.sts.utils import random_session_token

from demo.aws.answers import Answer, RefusalError, element, sts_answer
from demo.aws.calls import Call
from demo.aws.policies import Document, parse
from demo.aws.principals import PARTITION, Principal, Session, Sessions, find_role
from demo.aws.trust import is_trusted

_ROLE_ARN = re.compile(r"arn:([a-z-]+):iam::([0-9]{12}):role/(?:[\x21-\x7e]*/)?([\w+=,.@-]{1,64})", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


def caller_identity(principal: Principal) -> Answer:
    caller = principal.caller
    inside = element("Arn", caller.arn) + element("UserId", caller.user_id) + element("Account", caller.account_id)
    return sts_answer("GetCallerIdentity", inside)


def assume_role(
    principal: Principal, call: Call, sessions: Sessions, now: datetime, forced_seconds: float | None
) -> Answer:
    """A session of the role. Raises RefusalError: AccessDenied alike for no such role, a principal that is not
    trusted and a wrong External ID.

    `forced_seconds` ends the session earlier than was asked for.
    """
    arn, name, external_id = (call.params.get(key) for key in ("RoleArn", "RoleSessionName", "ExternalId"))
    match = _ROLE_ARN.fullmatch(arn or "")
    if match is None:
        raise _invalid(f"{arn} is invalid")
    if not _SESSION_NAME.fullmatch(name or ""):
        raise _invalid(_constraint(name, "roleSessionName", r"[\w+=,.@-]*"))
    if external_id is not None and not _EXTERNAL_ID.fullmatch(external_id):
        raise _invalid(_constraint(external_id, "externalId", r"[\w+=,.@:\/-]*"))
    if principal.is_root:
        raise RefusalError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
    account_id, role_name = match[2], match[3]
    role = find_role(account_id, role_name) if match[1] == PARTITION else None
    if (
        role is None
        or role.arn != arn
        or not is_trusted(parse(role.assume_role_policy_document), principal.caller, external_id)
    ):
        raise RefusalError(
            "AccessDenied",
            f"User: {principal.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            403,
        )
    seconds = _duration(call, principal, int(role.max_session_duration or 3600))
    key = iam_backends[account_id][PARTITION].create_temp_access_key()
    session = Session(
        access_key_id=key.access_key_id,
        secret_access_key=key.secret_access_key,
        token=random_session_token(),
        account_id=account_id,
        role_name=role_name,
        name=str(name),
        policy=_policy(call.params.get("Policy")),
        expires_at=now + timedelta(seconds=min(seconds, forced_seconds or seconds)),
    )
    sessions.add(session)
    credentials = (
        element("AccessKeyId", session.access_key_id)
        + element("SecretAccessKey", session.secret_access_key)
        + element("SessionToken", session.token)
        + element("Expiration", session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    )
    user = element("AssumedRoleId", f"{role.id}:{name}") + element(
        "Arn", f"arn:{PARTITION}:sts::{account_id}:assumed-role/{role_name}/{name}"
    )
    return sts_answer(
        "AssumeRole",
        f"<AssumedRoleUser>{user}</AssumedRoleUser><Credentials>{credentials}</Credentials>"
        + element("PackedPolicySize", "6"),
    )


def _duration(call: Call, principal: Principal, longest: int) -> int:
    text = call.params.get("DurationSeconds", "3600")
    if not text.isdigit() or not 900 <= int(text) <= 43200:
        raise _invalid(_constraint(text, "durationSeconds", "between 900 and 43200"))
    seconds = int(text)
    if seconds > longest:
        raise _invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if principal.is_session and seconds > 3600:
        raise _invalid(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    return seconds


def _policy(text: str | None) -> Document | None:
    if text is None:
        return None
    if len(text) > 2048:
        raise _invalid(_constraint("...", "policy", "length less than or equal to 2048"))
    try:
        return parse(text)
    except ValueError:
        raise RefusalError("MalformedPolicyDocument", "Syntax errors in policy.") from None


def _invalid(message: str) -> RefusalError:
    return RefusalError("ValidationError", message)


def _constraint(value: str | None, name: str, wanted: str) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: "
        f"Member must satisfy regular expression pattern: {wanted}"
    )
