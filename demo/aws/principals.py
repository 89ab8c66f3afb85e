"""Who an access key belongs to: a root user, an IAM user, or a session of a role; and what each is permitted.

Users, roles and their policies live in moto's IAM, wherever they came from (this layer, boto3, a CloudFormation
stack). Sessions live here, because moto gives them to anybody and never ends them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moto.iam.models import iam_backends

from demo.aws.answers import RefusalError
from demo.aws.calls import Call
from demo.aws.policies import EVERYTHING, Decision, Document, decide, parse
from demo.aws.signatures import check_signature, expired_session, unknown_key
from demo.aws.trust import Caller

PARTITION = "aws"


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a key, with the policies in force at the moment of asking."""

    caller: Caller
    access_key_id: str
    permissions: tuple[Document, ...]
    session_policy: Document | None = None

    @property
    def is_root(self) -> bool:
        return self.caller.arn.endswith(":root")

    @property
    def is_session(self) -> bool:
        return ":assumed-role/" in self.caller.arn


@dataclass(slots=True)
class Session:
    """What AssumeRole gave out."""

    access_key_id: str
    secret_access_key: str
    token: str
    account_id: str
    role_name: str
    name: str
    policy: Document | None
    expires_at: datetime


class Sessions:
    """All sessions of roles, by access key id."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def add(self, session: Session) -> None:
        self._sessions[session.access_key_id] = session

    def end(self, at: datetime, account_id: str | None = None) -> None:
        """Let the sessions (of one account) end at a time, however long they were given for."""
        for session in self._sessions.values():
            if account_id in (None, session.account_id):
                session.expires_at = min(session.expires_at, at)

    def clear(self) -> None:
        self._sessions.clear()

    def identify(self, call: Call, now: datetime) -> Principal:
        """Whose request this is, by key, token, signature and time. Raises RefusalError as AWS words it."""
        signature = call.signature
        if signature is None:
            raise RefusalError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        token = call.headers.get("x-amz-security-token")
        session = self._sessions.get(signature.access_key_id)
        if session is not None:
            if token != session.token:
                raise unknown_key(call.service)
            check_signature(call, signature, session.secret_access_key, token, now)
            if now >= session.expires_at:
                raise expired_session(call.service)
            return _session_principal(session, call.service)
        owner = _long_term(signature.access_key_id)
        if owner is None or token is not None:
            raise unknown_key(call.service)
        secret, principal = owner
        check_signature(call, signature, secret, None, now)
        return principal


def _session_principal(session: Session, service: str) -> Principal:
    role = find_role(session.account_id, session.role_name)
    if role is None:  # deleted since: AWS no longer knows its sessions
        raise unknown_key(service)
    account = session.account_id
    caller = Caller(
        account,
        f"arn:{PARTITION}:sts::{account}:assumed-role/{role.name}/{session.name}",
        role.arn,
        f"{role.id}:{session.name}",
    )
    return Principal(caller, session.access_key_id, tuple(_documents([role])), session.policy)


def _long_term(access_key_id: str) -> tuple[str, Principal] | None:
    for account_id, backends in list(iam_backends.items()):
        backend = backends[PARTITION]
        key = backend.access_keys.get(access_key_id)
        if key is None or key.access_key_id.startswith("ASIA") or key.status != "Active":
            continue
        if key.user_name is None:
            arn = f"arn:{PARTITION}:iam::{account_id}:root"
            return key.secret_access_key, Principal(
                Caller(account_id, arn, arn, account_id), access_key_id, (EVERYTHING,)
            )
        user = backend.users.get(key.user_name)
        if user is None:
            return None
        holders = [user, *(group for group in backend.groups.values() if user in group.users)]
        caller = Caller(account_id, user.arn, user.arn, user.id)
        return key.secret_access_key, Principal(caller, access_key_id, tuple(_documents(holders)))
    return None


def find_role(account_id: str, name: str) -> Any | None:
    """moto's role of that name, or None. Looking does not create the account."""
    if account_id not in iam_backends:
        return None
    roles = iam_backends[account_id][PARTITION].roles.values()
    return next((role for role in roles if role.name == name), None)


def _documents(holders: Iterable[Any]) -> Iterable[Document]:
    for holder in holders:
        yield from map(parse, holder.policies.values())
        for policy in holder.managed_policies.values():
            yield parse(next(version.document for version in policy.versions if version.is_default_version))


def authorize(principal: Principal, call: Call, resource: str, denied_regions: Iterable[str]) -> None:
    """Whether the principal may do this. Raises RefusalError in the words of AWS's newer access-denied messages.

    Order as AWS evaluates: service control policy, explicit deny, session policy, identity policies.
    """
    action = f"{call.service}:{call.action}"
    if action == "sts:GetCallerIdentity":  # needs no permission, and cannot be denied
        return
    context = {
        "aws:requestedregion": call.region,
        "aws:principalarn": principal.caller.principal_arn,
        "aws:principalaccount": principal.caller.account_id,
    }
    if call.service not in ("sts", "iam") and call.region in denied_regions:
        raise _denied(principal, call, action, resource, "with an explicit deny in a service control policy")
    own = decide(principal.permissions, action, resource, context)
    narrowed = decide([principal.session_policy], action, resource, context) if principal.session_policy else None
    if own is Decision.DENIED:
        raise _denied(principal, call, action, resource, "with an explicit deny in an identity-based policy")
    if narrowed is Decision.DENIED:
        raise _denied(principal, call, action, resource, "with an explicit deny in a session policy")
    if own is Decision.SILENT:
        reason = f"because no identity-based policy allows the {action} action"
        raise _denied(principal, call, action, resource, reason)
    if narrowed is Decision.SILENT:
        raise _denied(principal, call, action, resource, f"because no session policy allows the {action} action")


def _denied(principal: Principal, call: Call, action: str, resource: str, reason: str) -> RefusalError:
    message = f"User: {principal.caller.arn} is not authorized to perform: {action}"
    if call.service == "ec2":
        words = f"You are not authorized to perform this operation. {message} {reason}"
        return RefusalError("UnauthorizedOperation", words, 403)
    if call.service == "sts":
        return RefusalError("AccessDenied", f"{message} on resource: {resource}", 403)
    if call.is_json:
        return RefusalError("AccessDeniedException", f"{message} on resource: {resource} {reason}")
    return RefusalError("AccessDenied", f"{message} on resource: {resource} {reason}", 403)
