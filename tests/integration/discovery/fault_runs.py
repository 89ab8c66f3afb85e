"""Runs a row of the fault matrix as a whole discovery, and says what is not as it must be."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any

import sqlalchemy as sa
from flask import Flask

from app.aws import transport
from app.database import database_now, db
from app.models import Account, Instance, InstanceChange, RegionScan, Run
from app.models.types import AccountHealth, AccountStatus, ChangeKind, RegionResult, RunState
from app.services.instances.examine import examine_counts, examine_tags
from app.services.runs.due import enqueue_due_accounts
from demo.aws.cloud import SimulatedAws
from tests.factories import make_user
from tests.integration.customers import connected
from tests.integration.discovery.fault_matrix import ACCOUNT, CLOSED, MOST_CALLS, REGIONS, Row
from tests.jobs import run_jobs

#: Instances of each region, and how many make a page: two pages each.
PER_REGION, PAGE_SIZE = 7, 5

#: By what the limits on waiting are divided where a fault is about waiting.
HASTE = 40

#: What a discovery may take, in seconds; nothing here waits for as long as AWS could make us wait.
MOST_SECONDS = 90

Fact = tuple[str, ...]


@dataclass
class Seen:
    """What one row did. `problems` is empty where all is as it must be."""

    row: Row
    problems: list[str] = field(default_factory=list)
    calls: int = 0
    seconds: float = 0.0
    standing: str = ""


class FaultedAccount:
    """One account of five regions that was discovered once, on which any row can be run."""

    def __init__(self, app: Flask, aws: SimulatedAws) -> None:
        self.app, self.aws = app, aws
        aws.set_regions(ACCOUNT, *REGIONS, not_opted_in=CLOSED)
        for number, region in enumerate(REGIONS):
            lifecycle = "spot" if number % 2 else None
            aws.run_instances(ACCOUNT, region, PER_REGION, lifecycle=lifecycle, tags={"Name": region, "n": str(number)})
        with app.app_context():
            owner = make_user("owner")
            db.session.commit()
            db.session.refresh(owner)
            db.session.expunge(owner)
        self.account = connected(app, aws, owner)
        run_jobs(app)
        problems = self._unlike_the_fleet(tags=True)
        assert problems == [], problems

    def run(self, row: Row) -> Seen:
        """The fault, a discovery under it, and the next one without it."""
        seen = Seen(row)
        history, read_at = self._history(), {scan.region: scan.last_read_at for scan in self._scans()}
        if row.before:
            row.before(self.aws)
        for options in row.faults:
            self.aws.faults.add(**{"account_id": ACCOUNT, **options})
        self.aws.calls.clear()
        began_at = time.monotonic()
        with hasty(row.regions if row.result else ()) if row.is_slow else nullcontext():
            self._discover()
        seen.seconds = time.monotonic() - began_at
        seen.calls = len(self.aws.calls)
        self._examine(row, seen, read_at)
        self._examine_history(row, seen, history)
        self.aws.faults.clear()
        if row.after:
            row.after(self.aws)
        if row.retags:
            history = self._history()
        if row.result or row.retags or row.health is not AccountHealth.OK:
            self._discover()
        self._examine_healed(seen)
        if not row.retags and self._history() != history:
            seen.problems.append("the next discovery invented a change")
        return seen

    def _discover(self) -> None:
        """As the schedule does it: an account that works is discovered, another one verified first."""
        with self.app.app_context():
            account = db.session.get_one(Account, self.account.id)
            account.next_due_at = database_now()
            db.session.commit()
            enqueue_due_accounts(interval_seconds=900)
        run_jobs(self.app)

    def _examine(self, row: Row, seen: Seen, read_at: dict[str, datetime | None]) -> None:
        seen.problems += self._unlike_the_fleet(tags=not row.retags)
        account, scans = self._account(), {scan.region: scan for scan in self._scans()}
        seen.standing = f"{account.status.value}, {account.health.value}"
        first = scans[row.regions[0]].result if row.regions else None
        seen.standing += f", {first.value}" if first and row.result else ""
        seen.standing += f", {account.error_code.value}" if account.error_code else ""
        check = _Checks(seen.problems)
        check("the account's status", account.status, row.status)
        check("its health", account.health, row.health)
        if row.code or row.health is AccountHealth.OK:
            check("its error code", account.error_code, row.code)
        elif row.health is not AccountHealth.OK and not account.error_code:
            seen.problems.append("the account does not say why")
        is_reached = bool(row.result) or row.health is AccountHealth.OK
        for region in REGIONS:
            is_hit = region in row.regions and row.result is not None
            check(f"{region}'s result", scans[region].result, row.result if is_hit else RegionResult.READ)
            if is_hit or not is_reached:
                check(f"{region} was last read", scans[region].last_read_at, read_at[region])
            elif scans[region].last_read_at == read_at[region]:
                seen.problems.append(f"{region} is not fresh")
        if seen.calls > MOST_CALLS:
            seen.problems.append(f"{seen.calls} calls")
        if seen.seconds > MOST_SECONDS:
            seen.problems.append(f"{seen.seconds:.0f} seconds")
        self._examine_runs(seen)

    def _examine_runs(self, seen: Seen) -> None:
        with self.app.app_context():
            stuck = db.session.scalars(sa.select(Run.state).where(Run.active_key.is_not(None))).all()
            newest = db.session.scalars(sa.select(Run).order_by(Run.id.desc()).limit(1)).one()
            if newest.state is not RunState.SUCCEEDED and not newest.error_code:
                seen.problems.append("the run failed without saying why")
            if newest.attempt > 1:
                seen.problems.append(f"the run broke: {newest.attempt} attempts")
        if stuck:
            seen.problems.append(f"runs left: {', '.join(stuck)}")

    def _examine_history(self, row: Row, seen: Seen, before: list[Fact]) -> None:
        new = self._history()[len(before) :]
        if any(not (row.retags and kind == ChangeKind.CHANGED and name == "Tags") for _, kind, name in new):
            seen.problems.append(f"changes invented: {new}")
        with self.app.app_context():
            wrong = examine_counts(self.account.id)
            tags = examine_tags(self.account.id, after=0, batch_size=1000)
            wrong += tags.wrong if tags else ()
            db.session.rollback()
        seen.problems += wrong

    def _examine_healed(self, seen: Seen) -> None:
        healed = [f"afterwards: {problem}" for problem in self._unlike_the_fleet(tags=True)]
        account = self._account()
        check = _Checks(healed)
        check("afterwards: status", account.status, AccountStatus.ACTIVE)
        check("afterwards: health", account.health, AccountHealth.OK)
        check("afterwards: error code", account.error_code, None)
        check("afterwards: regions read", account.regions_read, len(REGIONS))
        for scan in self._scans():
            if scan.region not in CLOSED:
                check(f"afterwards: {scan.region}'s result", scan.result, RegionResult.READ)
        seen.problems += healed

    def _unlike_the_fleet(self, *, tags: bool) -> list[str]:
        """What the inventory lacks, invents or has otherwise than the simulated fleet itself."""
        true = {
            (region, made.id, made.state, made.instance_type, str(made.lifecycle or "on-demand"), "authorized")
            + ((str(sorted((tag["key"], tag["value"]) for tag in made.get_tags())),) if tags else ())
            for region in REGIONS
            for made in self.aws.instances(ACCOUNT, region)
        }
        with self.app.app_context():
            rows = db.session.scalars(sa.select(Instance)).all()
            kept = [
                (row.region, row.instance_id, row.state, row.instance_type, row.lifecycle, row.auth_status.value)
                + ((str(sorted(row.instance_metadata["Tags"].items())),) if tags else ())
                for row in rows
            ]
        lost, invented = sorted(true - set(kept)), sorted(set(kept) - true)
        problems = [f"lost or changed: {fact}" for fact in lost[:3]] + [f"invented: {fact}" for fact in invented[:3]]
        if len(kept) != len(set(kept)):
            problems.append("instances twice")
        return problems

    def _history(self) -> list[Fact]:
        with self.app.app_context():
            query = sa.select(InstanceChange.instance_pk, InstanceChange.kind, InstanceChange.field)
            return [tuple(map(str, row)) for row in db.session.execute(query.order_by(InstanceChange.id))]

    def _account(self) -> Account:
        with self.app.app_context():
            account = db.session.get_one(Account, self.account.id)
            db.session.refresh(account)
            db.session.expunge(account)
        return account

    def _scans(self) -> list[RegionScan]:
        with self.app.app_context():
            scans = list(db.session.scalars(sa.select(RegionScan).order_by(RegionScan.region)))
            db.session.expunge_all()
        return scans


class _Checks:
    def __init__(self, problems: list[str]) -> None:
        self.problems = problems

    def __call__(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.problems.append(f"{what}: {found} instead of {wanted}")


@contextmanager
def hasty(regions: Sequence[str]) -> Iterator[None]:
    """The limits on waiting for some regions counted in fractions of a second; for all when none is named.

    Only where the fault is: a busy machine may keep a region that is well waiting for as long as that.
    """
    real: Callable[..., None] = transport.Guard.__init__

    @wraps(real)
    def init(self: Any, client: Any, *, read_seconds: float, call_seconds: float, **options: Any) -> None:
        haste = HASTE if not regions or client.meta.region_name in regions else 1
        real(self, client, read_seconds=read_seconds / haste, call_seconds=call_seconds / haste, **options)

    transport.Guard.__init__ = init  # type: ignore[method-assign]
    try:
        yield
    finally:
        transport.Guard.__init__ = real  # type: ignore[method-assign]
