"""The job that reads an account's regions: threads wait for AWS, and this one takes in what they bring.

Each region is stored in a transaction of its own as soon as it was read to its end.
"""

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from flask import current_app

from app.aws import identity as aws_identity
from app.aws import regions as aws_regions
from app.aws.credentials import CredentialProvider
from app.aws.ec2 import PageRead
from app.aws.instance_page import PageError
from app.aws.meter import CallMeter, Counts
from app.aws.records import RegionRead, RegionUnread
from app.config import Config
from app.database import database_now, db, retry_transient
from app.errors import AwsFault, FaultCode, NotFoundError
from app.models import Account
from app.services.accounts.calls import budget_wait, record_calls
from app.services.accounts.connection import Connection
from app.services.discovery.changes import Changes
from app.services.discovery.complete import complete_discovery, summarize
from app.services.discovery.intake import Intake
from app.services.discovery.inventory import store_region
from app.services.discovery.regions import record_read, record_regions, record_unread
from app.services.events.settle import settle_unknown
from app.services.runs import Lease, Outcome
from app.tasks.accounts import begin, refused
from app.tasks.region_threads import RegionThreads

logger = logging.getLogger(__name__)

#: The end of all reading, whatever the size of the fleet; less than a job's heartbeat lasts.
LONGEST_SECONDS = 600

#: Progress is written at most this often, in seconds.
REPORT_EVERY = 1.0


def discover_account(lease: Lease) -> Outcome:
    """Read every enabled region of the account, and take what is there into the inventory."""
    config: Config = current_app.extensions["spotkeeper"]
    wait = budget_wait(lease.require_account(), config.aws_calls_per_hour)
    db.session.rollback()
    if wait is not None:
        return Outcome.again(in_seconds=wait.seconds, text=wait.text)
    meter = CallMeter()
    try:
        connection = begin(lease)
        lease.report(0, 0, "Signing in to the account")
        provider = connection.provider()
        _require_same_account(connection, provider, meter)
        regions = aws_regions.list_regions(provider.current(), connection.region, meter=meter)
    except AwsFault as fault:
        record_calls(lease.require_account(), meter.take())
        return refused(lease, fault)
    except NotFoundError as error:
        return Outcome.failed(FaultCode.INTERNAL, str(error))

    lease.hold()
    record_regions(connection.account_pk, regions)
    db.session.commit()

    enabled = [region.name for region in regions if region.is_enabled]
    discovery = Discovery(lease, connection.account_pk, enabled, meter)
    discovery.read(provider, threads=config.region_threads)
    outcome = complete_discovery(
        lease, regions, discovery.results, discovery.changes, interval_seconds=config.discovery_interval_seconds
    )
    logger.info("Discovery %s", outcome.state, extra=outcome.summary)
    return outcome


class Discovery:
    """One reading of an account's regions, as far as it has come."""

    def __init__(self, lease: Lease, account_pk: int, regions: Sequence[str], meter: CallMeter) -> None:
        self.results: dict[str, RegionRead | RegionUnread] = {}
        self.changes = Changes()
        self._lease = lease
        self._account_pk = account_pk
        self._regions = regions
        self._meter = meter
        self._intakes: dict[str, Intake] = {}
        self._clock = (database_now(), time.monotonic())
        db.session.rollback()
        self._reported_at = 0.0

    def read(self, provider: CredentialProvider, *, threads: int) -> None:
        """Read the regions, each in one of so many threads, and store those that were read to their end.

        Raises:
            LeaseLostError: the job was canceled, handed back or taken over.
        """
        self._report(is_due=True)
        deadline = time.monotonic() + LONGEST_SECONDS
        with RegionThreads(provider, self._regions, threads=threads, meter=self._meter, deadline=deadline) as reading:
            try:
                for told in reading.tell():
                    if isinstance(told, PageRead):
                        self._take(told, reading)
                    elif told is not None:
                        self._end(told)
                    self._report()
            except BaseException:
                # Whatever becomes of the job: what was sent was sent.
                db.session.rollback()
                record_calls(self._account_pk, self._meter.take())
                db.session.commit()
                raise
            finally:
                for intake in self._intakes.values():
                    intake.close()

    def _take(self, page: PageRead, reading: RegionThreads) -> None:
        if page.region in self.results:
            return  # it was given up
        if page.region not in self._intakes:
            now, then = self._clock
            began_at = now + timedelta(seconds=reading.began[page.region] - then)
            self._intakes[page.region] = Intake(self._account_pk, page.region, began_at)
        try:
            self._intakes[page.region].take(page.instances)
        except PageError as error:
            reading.give_up(page.region)
            unread = RegionUnread(page.region, FaultCode.MALFORMED, str(error), None, None, page.pages, page.pages)
            self._end(unread)

    def _end(self, result: RegionRead | RegionUnread) -> None:
        if result.region in self.results:
            return
        intake = self._intakes.pop(result.region, None)
        sent = self._meter.take()
        try:
            self.changes += self._store(result, intake, sent)
        except BaseException:
            self._meter.give_back(sent)
            raise
        finally:
            if intake is not None:
                intake.close()
        self.results[result.region] = result
        self._report(is_due=True)

    @retry_transient
    def _store(self, result: RegionRead | RegionUnread, intake: Intake | None, sent: Counts) -> Changes:
        changes = Changes()
        try:
            self._lease.hold()
            record_calls(self._account_pk, sent)
            if isinstance(result, RegionUnread):
                record_unread(self._account_pk, result)
            else:
                assert intake is not None, "a region that was read had at least one page"
                account = db.session.get_one(Account, self._account_pk)
                changes = store_region(account, result, intake, run_id=self._lease.run_id)
                record_read(self._account_pk, result, began_at=intake.began_at)
                if changes.added:
                    settle_unknown(self._account_pk, result.region)
            db.session.commit()
        except Exception:
            db.session.rollback()
            raise
        return changes

    def _report(self, *, is_due: bool = False) -> None:
        """Show how far it is; by this, too, the job learns that it was canceled."""
        now = time.monotonic()
        if not is_due and now - self._reported_at < REPORT_EVERY:
            return
        self._reported_at = now
        so_far = sum((intake.found for intake in self._intakes.values()), self.changes)
        self._lease.report(
            len(self.results),
            len(self._regions),
            f"{so_far.seen:,} instances seen",
            summary=summarize(self._regions, self.results, so_far),
        )


def _require_same_account(connection: Connection, provider: CredentialProvider, meter: CallMeter) -> None:
    """The caller's account must still be the one that was verified: a role or key may have been swapped."""
    found = aws_identity.get_caller_identity(provider.current(), connection.region, meter=meter)
    if found.account_id != connection.aws_account_id:
        raise AwsFault(
            FaultCode.ACCOUNT_MISMATCH, f"The credentials belong to another AWS account (...{found.account_id[-4:]})."
        )
