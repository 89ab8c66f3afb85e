"""The job that asks AWS what an account lets us do; it changes nothing there, and not the account's status here."""

import time

from flask import current_app

from app.aws import regions as aws_regions
from app.aws.credentials import CredentialProvider
from app.aws.meter import CallMeter
from app.aws.permissions import DENIALS, Permission, probe_permissions
from app.config import Config
from app.database import db
from app.errors import AwsFault, FaultCode, NotFoundError
from app.services.accounts.calls import budget_wait, record_calls
from app.services.accounts.connection import Connection
from app.services.accounts.organization import record_members
from app.services.accounts.permissions import (
    asked_actions,
    known_regions,
    may_list_organization,
    record_permissions,
)
from app.services.runs import Lease, Outcome
from app.tasks.accounts import begin
from app.tasks.organization import look_at_organization

#: The end of all asking. Seven calls to a region are answered within a second or two.
LONGEST_SECONDS = 120


def check_permissions(lease: Lease) -> Outcome:
    """Ask for each action that the owner allowed, in every enabled region by a dry run, and note the answers."""
    config: Config = current_app.extensions["spotkeeper"]
    account_pk = lease.require_account()
    regions = known_regions(account_pk)
    actions = asked_actions(account_pk)
    lists_organization = may_list_organization(account_pk)
    wait = budget_wait(account_pk, config.aws_calls_per_hour, need=len(actions) * max(len(regions), 1))
    db.session.rollback()
    if wait is not None:
        return Outcome.again(in_seconds=wait.seconds, text=wait.text)
    meter = CallMeter()
    told: list[Permission] = []
    members = None
    try:
        connection = begin(lease)
        lease.report(0, 0, "Signing in to the account")
        provider = connection.provider()
        names = _enabled(connection, provider, meter, otherwise=regions)
        lease.report(0, len(names), "Asking what is allowed")
        probing = probe_permissions(
            provider,
            names,
            actions,
            threads=config.region_threads,
            deadline=time.monotonic() + LONGEST_SECONDS,
            meter=meter,
        )
        for done, permissions in enumerate(probing, 1):
            told += permissions
            lease.report(done, len(names), "Asking what is allowed")
        if lists_organization:
            members = look_at_organization(connection, meter)
    except NotFoundError as error:
        return Outcome.failed(FaultCode.INTERNAL, str(error))
    except AwsFault as fault:
        # Verifications and discoveries judge the connection; this job only looks.
        lease.hold()
        record_calls(account_pk, meter.take())
        return Outcome.failed(fault.code, str(fault))
    lease.hold()
    record_calls(account_pk, meter.take())
    if members is not None:
        record_members(account_pk, members)
    if all(_settles_nothing(permission) for permission in told):
        # What AWS said the last time is worth more than that it said nothing now.
        return Outcome.failed(told[0].fault or FaultCode.AWS_ERROR, told[0].message, _summarize(told, meter))
    record_permissions(account_pk, told)
    return Outcome.succeeded(_summarize(told, meter))


def _enabled(
    connection: Connection, provider: CredentialProvider, meter: CallMeter, *, otherwise: list[str]
) -> list[str]:
    """The account's enabled regions; where AWS may not tell us, those that we have known, or its home region."""
    try:
        regions = aws_regions.list_regions(provider.current(), connection.region, meter=meter)
    except AwsFault as fault:
        if fault.code not in DENIALS:
            raise
        return otherwise or [connection.region]
    return [region.name for region in regions if region.is_enabled]


def _summarize(told: list[Permission], meter: CallMeter) -> dict[str, object]:
    allowed = sum(permission.fault is None for permission in told)
    unknown = sum(map(_settles_nothing, told))
    return {
        "permissions_allowed": allowed,
        "permissions_denied": len(told) - allowed - unknown,
        "permissions_unknown": unknown,
        "calls": meter.total,
    }


def _settles_nothing(permission: Permission) -> bool:
    return permission.fault is not None and permission.fault not in DENIALS
