"""Who a set of credentials is in AWS, and the proofs a connection needs; imports botocore.

Sources: AWS STS API reference (AssumeRole, GetCallerIdentity), IAM guide on External IDs.
"""

import re
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from app.aws.cloudformation import POLICY_VERSION, as_json, permission_policy
from app.aws.credentials import Credentials
from app.aws.errors import aws_faults, own_fault
from app.aws.formats import (
    ACCOUNT_ID,
    PARTITIONS,
    RoleArn,
    new_external_id,
    parse_role_arn,
    role_session_name,
)
from app.aws.meter import CallMeter
from app.aws.session import SIGN_IN_SECONDS, app_client, app_region, client
from app.errors import AwsFault, FaultCode

SESSION_SECONDS = 3600
#: The shortest session AWS makes. What a probe obtains is thrown away.
PROBE_SECONDS = 900
_NOTHING = as_json(
    {"Version": POLICY_VERSION, "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}, indent=None
)


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """The answer of GetCallerIdentity, taken apart."""

    account_id: str
    arn: str
    partition: str
    user_id: str

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")

    @property
    def is_assumed_role(self) -> bool:
        return ":assumed-role/" in self.arn

    @property
    def is_user(self) -> bool:
        return ":iam:" in self.arn and ":user/" in self.arn


@dataclass(frozen=True, slots=True)
class VerifiedConnection:
    """A connection that passed every proof, with credentials to go on with."""

    identity: CallerIdentity
    credentials: Credentials


def get_caller_identity(credentials: Credentials, region: str, *, meter: CallMeter | None = None) -> CallerIdentity:
    """Ask STS in `region` whose these credentials are. Needs no permission. Raises AwsFault."""
    with closing(client("sts", credentials, region, call_seconds=SIGN_IN_SECONDS, meter=meter)) as sts, aws_faults():
        answer = sts.get_caller_identity()
    return _identity(answer)


def get_app_identity() -> CallerIdentity:
    """Who this installation itself is. Raises AwsFault; NO_APP_IDENTITY without usable credentials."""
    try:
        with aws_faults(), closing(app_client("sts", app_region())) as sts:
            answer = sts.get_caller_identity()
    except AwsFault as fault:
        raise own_fault(fault) from None
    return _identity(answer)


def assume_role(
    role_arn: str,
    external_id: str | None,
    session_name: str,
    duration_seconds: int = SESSION_SECONDS,
    region: str | None = None,
    *,
    policy: str | None = None,
) -> Credentials:
    """A session of the role for `duration_seconds` (900 to 3,600: AWS caps chained roles at an hour).

    `external_id` None sends none. `policy` narrows the session; by default to reading, even where the role grants
    more. `region` is whose STS to ask, by default the first of the role's partition. Raises AwsFault:
    ACCESS_DENIED for no such role, a wrong principal and a wrong External ID alike, for AWS does not tell them
    apart; NO_APP_IDENTITY where our own credentials are missing or refused.
    """
    role = _role(role_arn)
    request: dict[str, Any] = {
        "RoleArn": str(role),
        "RoleSessionName": role_session_name(session_name),
        "DurationSeconds": duration_seconds,
        "Policy": policy or as_json(permission_policy(role.partition), indent=None),
    }
    if external_id is not None:
        request["ExternalId"] = external_id
    try:
        with aws_faults(), closing(app_client("sts", region or _home(role))) as sts:
            answer: Any = sts.assume_role(**request)
    except AwsFault as fault:
        raise own_fault(fault) from None
    given = answer.get("Credentials") or {}
    values = [given.get(name) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")]
    if not all(values):
        raise AwsFault(FaultCode.MALFORMED, "The answer to AssumeRole holds no credentials.")
    return Credentials(*values)  # type: ignore[arg-type]


def prove_external_id(role_arn: str, session_name: str) -> None:
    """Prove that the role refuses a wrong External ID and a missing one.

    Only AWS's own refusal counts. Raises AwsFault: EXTERNAL_ID_NOT_ENFORCED where either is let in; throttling, an
    unreachable endpoint and the like as themselves, for then nothing is proved.
    """
    for external_id in (new_external_id(), None):
        try:
            assume_role(role_arn, external_id, session_name, PROBE_SECONDS, policy=_NOTHING)
        except AwsFault as fault:
            if fault.code is FaultCode.ACCESS_DENIED:
                continue
            raise
        raise AwsFault(
            FaultCode.EXTERNAL_ID_NOT_ENFORCED,
            "The role's trust policy lets in a caller "
            + ("without an External ID." if external_id is None else "with a wrong External ID."),
        )


def verify_role(
    role_arn: str,
    external_id: str,
    expected_account_id: str,
    session_name: str,
    *,
    meter: CallMeter | None = None,
) -> VerifiedConnection:
    """Assume the role, compare its account, and prove that it enforces its External ID. Raises AwsFault.

    The proof comes last, so that a role which does not let us in is never called with anything but its own
    External ID.
    """
    role = _role(role_arn)
    if role.account_id != expected_account_id:
        raise _mismatch(role.account_id)
    credentials = assume_role(str(role), external_id, session_name)
    identity = get_caller_identity(credentials, _home(role), meter=meter)
    if identity.account_id != expected_account_id:
        raise _mismatch(identity.account_id)
    prove_external_id(str(role), session_name)
    return VerifiedConnection(identity, credentials)


def verify_keys(
    credentials: Credentials, expected_account_id: str | None, region: str, *, meter: CallMeter | None = None
) -> VerifiedConnection:
    """Check long-term keys of a user by asking STS in `region` whose they are. Raises AwsFault.

    Refused: temporary keys, the root user's, and another account's than the one expected (None: any).
    """
    if credentials.is_temporary:
        raise _temporary()
    identity = get_caller_identity(credentials, region, meter=meter)
    if identity.is_root:
        raise AwsFault(FaultCode.ROOT_CREDENTIALS, "These are keys of the account's root user.")
    if not identity.is_user:
        raise _temporary()
    if expected_account_id is not None and identity.account_id != expected_account_id:
        raise _mismatch(identity.account_id)
    return VerifiedConnection(identity, credentials)


def _role(role_arn: str) -> RoleArn:
    try:
        return parse_role_arn(role_arn)
    except ValueError as error:
        raise AwsFault(FaultCode.ACCESS_DENIED, str(error)) from None


def _home(role: RoleArn) -> str:
    """Whose STS to ask. Not the region we run in: the customer may not have enabled that one."""
    return PARTITIONS[role.partition].default_region


def _identity(answer: Any) -> CallerIdentity:
    account_id, arn = str(answer.get("Account") or ""), str(answer.get("Arn") or "")
    match = re.match(r"arn:([a-z-]+):(?:iam|sts)::([0-9]{12}):", arn)
    if not ACCOUNT_ID.fullmatch(account_id) or not match or match[2] != account_id:
        raise AwsFault(FaultCode.MALFORMED, "The answer to GetCallerIdentity names no account.")
    return CallerIdentity(account_id, arn, match[1], str(answer.get("UserId") or ""))


def _temporary() -> AwsFault:
    return AwsFault(
        FaultCode.TEMPORARY_CREDENTIALS, "These are temporary credentials; they would stop working by themselves."
    )


def _mismatch(found: str) -> AwsFault:
    return AwsFault(FaultCode.ACCOUNT_MISMATCH, f"The credentials belong to another AWS account (…{found[-4:]}).")
