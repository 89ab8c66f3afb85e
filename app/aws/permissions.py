"""Asks AWS what an account lets us do in each region, without doing it; imports botocore.

Source: EC2 API reference, DryRun: `DryRunOperation` says that the call would have been allowed, `UnauthorizedOperation`
that it would not.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from app.aws.credentials import CredentialProvider
from app.aws.errors import aws_faults
from app.aws.meter import CallMeter
from app.aws.session import SIGN_IN_SECONDS, client
from app.errors import AwsFault, FaultCode

_WOULD_HAVE_SUCCEEDED = "DryRunOperation"

#: These say what is allowed; after any other fault the region is asked no more, for it would only say so again.
DENIALS = frozenset({FaultCode.DENIED_IAM, FaultCode.DENIED_SCP})


@dataclass(frozen=True, slots=True)
class Permission:
    """What AWS said of one action in one region."""

    region: str
    action: str
    """As IAM spells it."""

    fault: FaultCode | None
    """None where it is allowed; what is not among DENIALS settles nothing."""

    aws_code: str = ""
    message: str = ""


def probe_permissions(
    provider: CredentialProvider,
    regions: Sequence[str],
    actions: Sequence[str],
    *,
    threads: int,
    deadline: float,
    meter: CallMeter | None = None,
) -> Iterator[list[Permission]]:
    """Each of EC2's actions in each region, a region at a time as it is finished. A denial is never asked for twice.

    Nothing is sent past `deadline` (of `time.monotonic`); what was not asked by then is told as unreachable.
    """
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="permissions") as pool:
        futures = [pool.submit(_probe_region, provider, region, actions, deadline, meter) for region in regions]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _probe_region(
    provider: CredentialProvider, region: str, actions: Sequence[str], deadline: float, meter: CallMeter | None
) -> list[Permission]:
    found: list[Permission] = []
    try:
        ec2 = client("ec2", provider.current(), region, call_seconds=SIGN_IN_SECONDS, deadline=deadline, meter=meter)
    except AwsFault as fault:
        return [_told(region, action, fault) for action in actions]
    with closing(ec2):
        for action in actions:
            last = found[-1] if found else None
            if last is not None and last.fault is not None and last.fault not in DENIALS:
                found.append(Permission(region, action, last.fault, last.aws_code, last.message))
            else:
                found.append(_probe(ec2, region, action))
    return found


def _probe(ec2: Any, region: str, action: str) -> Permission:
    call = getattr(ec2, xform_name(action.partition(":")[2]))
    try:
        with aws_faults():
            try:
                call(DryRun=True)
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") == _WOULD_HAVE_SUCCEEDED:
                    return Permission(region, action, None)
                raise
    except AwsFault as fault:
        return _told(region, action, fault)
    # A real answer to a dry run: whoever sent it let us do it.
    return Permission(region, action, None)


def _told(region: str, action: str, fault: AwsFault) -> Permission:
    return Permission(region, action, fault.code, fault.aws_code or "", str(fault))
