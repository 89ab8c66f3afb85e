"""The jobs about one account's connection: short transactions round calls to AWS, which hold no lock and no row."""

import logging

from app.aws import identity as aws_identity
from app.aws.meter import CallMeter
from app.database import db
from app.errors import AwsFault, FaultCode, NotFoundError
from app.models.types import RunKind
from app.services import identity
from app.services.accounts.calls import record_calls
from app.services.accounts.connection import Connection, load_connection
from app.services.accounts.verify import prove_connection, record_proof, record_refusal
from app.services.runs import Lease, Outcome

logger = logging.getLogger(__name__)


def verify_account(lease: Lease) -> Outcome:
    """Ask AWS whether the account's connection holds, and note the answer."""
    meter = CallMeter()
    try:
        connection = begin(lease)
        lease.report(0, 1, "Asking AWS who we are there")
        verified = prove_connection(connection, meter)
    except AwsFault as fault:
        lease.hold()
        record_calls(lease.require_account(), meter.take())
        return refused(lease, fault)
    except NotFoundError as error:
        return Outcome.failed(FaultCode.INTERNAL, str(error))
    lease.hold()
    record_calls(connection.account_pk, meter.take())
    return record_proof(lease, verified)


def check_identity(_lease: Lease) -> Outcome:
    """Find out who this installation is in AWS."""
    try:
        found = aws_identity.get_app_identity()
    except AwsFault as fault:
        identity.record_identity(fault)
        return Outcome.failed(fault.code, str(fault))
    identity.record_identity(found)
    return Outcome.succeeded({"arn": found.arn})


def begin(lease: Lease) -> Connection:
    """The connection of the job's account, in a verification the proposed one; no transaction is open afterwards.

    Raises:
        NotFoundError: the account is gone.
        AwsFault: there is nothing to connect with.
    """
    connection = load_connection(lease.require_account(), tries_candidate=lease.kind is RunKind.VERIFY_ACCOUNT)
    db.session.commit()
    return connection


def refused(lease: Lease, fault: AwsFault) -> Outcome:
    """Note that AWS, or our own trouble, did not let the job through to the account."""
    logger.warning(
        "%s did not get through: %s",
        lease.kind,
        fault.code,
        extra={"aws_code": fault.aws_code, "aws_request_id": fault.request_id, "words": str(fault)},
    )
    return record_refusal(lease, fault)
