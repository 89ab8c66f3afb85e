"""The jobs about one account: short transactions round long calls to AWS, which hold no lock and no row."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

from flask import current_app

from app.aws import ec2
from app.aws import identity as aws_identity
from app.aws import regions as aws_regions
from app.aws.credentials import CredentialProvider
from app.aws.records import RegionRead, RegionUnread
from app.aws.regions import Region
from app.config import Config
from app.database import db
from app.errors import AwsFault, FaultCode, NotFoundError
from app.models import Account
from app.services import identity
from app.services.accounts.connection import Connection, load_connection
from app.services.accounts.verify import prove_connection, record_proof, record_refusal
from app.services.discovery.complete import complete_discovery
from app.services.discovery.inventory import Changes, store_region
from app.services.discovery.regions import record_read, record_regions, record_unread
from app.services.runs import Lease, Outcome

logger = logging.getLogger(__name__)


def verify_account(lease: Lease) -> Outcome:
    """Ask AWS whether the account's connection holds, and note the answer."""
    try:
        connection = _load(lease)
        lease.report(0, 1, "Asking AWS who we are there")
        verified = prove_connection(connection)
    except AwsFault as fault:
        return _refused(lease, fault)
    except NotFoundError as error:
        return Outcome.failed(FaultCode.INTERNAL, str(error))
    return record_proof(lease, verified)


def discover_account(lease: Lease) -> Outcome:
    """Read every enabled region of the account; each region is stored in a transaction of its own."""
    config: Config = current_app.extensions["spotkeeper"]
    try:
        connection = _load(lease)
        lease.report(0, 0, "Signing in to the account")
        provider = connection.provider()
        _require_same_account(connection, provider)
        regions = aws_regions.list_regions(provider.current(), connection.region)
    except AwsFault as fault:
        return _refused(lease, fault)
    except NotFoundError as error:
        return Outcome.failed(FaultCode.INTERNAL, str(error))

    lease.hold()
    record_regions(connection.account_pk, regions)
    db.session.commit()

    enabled = [region for region in regions if region.is_enabled]
    results: dict[str, RegionRead | RegionUnread] = {}
    changes = Changes()
    lease.report(0, len(enabled), "Reading regions")
    for result in _read(provider, enabled, threads=config.region_threads):
        changes += _store(lease, connection.account_pk, result)
        results[result.region] = result
        lease.report(len(results), len(enabled), f"{changes.seen:,} instances seen")
    outcome = complete_discovery(lease, regions, results, changes, interval_seconds=config.discovery_interval_seconds)
    logger.info("Discovery %s", outcome.state, extra=outcome.summary)
    return outcome


def check_identity(_lease: Lease) -> Outcome:
    """Find out who this installation is in AWS."""
    try:
        found = aws_identity.get_app_identity()
    except AwsFault as fault:
        identity.record_identity(fault)
        return Outcome.failed(fault.code, str(fault))
    identity.record_identity(found)
    return Outcome.succeeded({"arn": found.arn})


def _refused(lease: Lease, fault: AwsFault) -> Outcome:
    logger.warning(
        "%s did not get through: %s",
        lease.kind,
        fault.code,
        extra={"aws_code": fault.aws_code, "aws_request_id": fault.request_id, "words": str(fault)},
    )
    return record_refusal(lease, fault)


def _load(lease: Lease) -> Connection:
    connection = load_connection(lease.require_account())
    db.session.commit()
    return connection


def _require_same_account(connection: Connection, provider: CredentialProvider) -> None:
    """The caller's account must still be the one that was verified: a role or key may have been swapped."""
    found = aws_identity.get_caller_identity(provider.current(), connection.region)
    if found.account_id != connection.aws_account_id:
        raise AwsFault(
            FaultCode.ACCOUNT_MISMATCH, f"The credentials belong to another AWS account (...{found.account_id[-4:]})."
        )


def _read(provider: CredentialProvider, regions: list[Region], *, threads: int) -> Iterator[RegionRead | RegionUnread]:
    """Each region as it is finished. Threads hide the network's latency; a slow region holds up no other."""
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="region") as pool:
        futures = [pool.submit(ec2.read_region, provider, region.name) for region in regions]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _store(lease: Lease, account_pk: int, result: RegionRead | RegionUnread) -> Changes:
    lease.hold()
    if isinstance(result, RegionUnread):
        record_unread(account_pk, result)
        changes = Changes()
    else:
        changes = store_region(db.session.get_one(Account, account_pk), result)
        record_read(account_pk, result)
    db.session.commit()
    return changes
