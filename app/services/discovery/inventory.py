"""Writes one region that was read to its end into the inventory: new, changed, vanished, returned."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.aws.records import RegionRead
from app.bulk import Row, insert_rows, upsert_rows
from app.database import database_now, db
from app.models import Account, Instance, InstanceTag, RegionScan
from app.models.instance import GONE, MISSING, TERMINATED
from app.models.types import AuthSource, AuthStatus, ChangeKind
from app.services.discovery import rows
from app.services.discovery.arrivals import Arrivals
from app.services.discovery.changes import Changes
from app.services.discovery.intake import Intake, Taken
from app.services.instances.history import note_changes
from app.services.instances.tallies import refresh_tallies

BEFORE_BASELINE = "Found before the first complete discovery"
AFTER_BASELINE = "Appeared after the first complete discovery"
BASELINE = "Baseline: found by the first complete discovery"

#: An instance last seen in one of these is expected to vanish: AWS shows it for about an hour after it ended.
ENDING = frozenset({"shutting-down", TERMINATED})

#: How many ids one IN (...) holds; MariaDB and SQLite both slow down, or refuse, with very long ones.
CHUNK = 500

#: How often hashes are renewed for instances of which the bytes alone have changed. Where AWS writes the same content
#: in other bytes each time, the hash saves nothing and each renewal is a write for nothing.
REHASH_EVERY = timedelta(days=1)


def store_region(account: Account, read: RegionRead, intake: Intake, *, run_id: int | None = None) -> Changes:
    """Bring the rows of one region up to what its pages showed; unchanged instances are not written.

    `read` is the proof that the pages were all. Its rows, their tags and history, and the counts of them are one
    transaction, the caller's.
    """
    now = database_now()
    # The account's row first, as everybody does who changes its instances: an event may be writing the same ones.
    db.session.execute(sa.select(Account.id).where(Account.id == account.id).with_for_update())
    reason = AFTER_BASELINE if account.baseline_at else BEFORE_BASELINE
    added = changed = 0
    arrivals = Arrivals(account, read.region, now, run_id)
    for batch in intake.spool.batches():
        due = _still_due(batch)
        _write(account.id, due, now, reason, run_id)
        arrivals.decide((taken.instance_pk, taken.record) for taken in due)
        added += sum(taken.is_new for taken in due)
        changed += sum(not taken.is_new for taken in due)
    vanished = _mark_vanished(account.id, intake, now, run_id)
    _rehash(account.id, intake, now)
    changes = Changes(seen=intake.found.seen, added=added, changed=changed, vanished=vanished)
    if changes.is_any:
        refresh_tallies(account.id, read.region)
    return changes


def authorize_baseline(account: Account) -> int:
    """Authorize all that is known of the account, once: what came before somebody could have an opinion."""
    now = database_now()
    account.baseline_at = now
    result = db.session.execute(
        sa.update(Instance)
        .where(
            Instance.account_id == account.id,
            Instance.auth_source == AuthSource.NONE,
            # What a rule allowed until it ended is no part of what was there before anybody had an opinion.
            Instance.auth_changed_at.is_(None),
        )
        .values(
            auth_status=AuthStatus.AUTHORIZED,
            auth_source=AuthSource.BASELINE,
            auth_reason=BASELINE,
            auth_changed_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    refresh_tallies(account.id)
    return int(getattr(result, "rowcount", 0))


def _still_due(batch: Sequence[Taken]) -> list[Taken]:
    """Without what somebody has changed since the page came: an event tells of a later moment than the page."""
    compared = {taken.instance_pk: taken.known for taken in batch if not taken.is_new}
    stands: set[int] = set()
    for chunk in _chunks(list(compared)):
        query = sa.select(Instance.id, Instance.raw_hash, Instance.state).where(Instance.id.in_(chunk))
        stands |= {id_ for id_, *now in db.session.execute(query) if tuple(now) == compared[id_]}
    return [taken for taken in batch if taken.is_new or taken.instance_pk in stands]


def _write(account_pk: int, batch: Sequence[Taken], now: datetime, reason: str, run_id: int | None) -> None:
    connection = db.session.connection()
    upsert_rows(
        connection,
        rows.INSTANCES,
        rows.COLUMNS,
        [rows.instance_row(account_pk, taken.instance_pk, taken.record, now, reason) for taken in batch],
        key=rows.KEY,
        keep=rows.KEPT_COLUMNS,
    )
    retagged = [taken for taken in batch if taken.is_retagged]
    for chunk in _chunks([taken.instance_pk for taken in retagged if not taken.is_new]):
        db.session.execute(
            sa.delete(InstanceTag)
            .where(InstanceTag.instance_pk.in_(chunk))
            .execution_options(synchronize_session=False)
        )
    tags: list[Row] = []
    for taken in retagged:
        tags += rows.tag_rows(taken.instance_pk, taken.record)
    insert_rows(connection, rows.TAGS, rows.TAG_COLUMNS, tags)
    note_changes(
        account_pk,
        ((taken.instance_pk, told) for taken in batch for told in taken.differences),
        seen_at=now,
        run_id=run_id,
    )


def _mark_vanished(account_pk: int, intake: Intake, now: datetime, run_id: int | None) -> int:
    """What a complete reading does not show: gone if it was ending, else missing; never deleted."""
    present = set(intake.present)
    listed = db.session.execute(
        sa.select(Instance.id, Instance.state).where(
            Instance.account_id == account_pk,
            Instance.region == intake.region,
            Instance.state.not_in(GONE),
        )
    )
    absent = [(id_, state) for id_, state in listed if id_ not in present]
    told = _told_since(intake.began_at, [id_ for id_, _ in absent])
    absent = [(id_, state) for id_, state in absent if id_ not in told]
    becomes = {id_: TERMINATED if state in ENDING else MISSING for id_, state in absent}
    # Without hashes: if it comes back, it is written whatever its content.
    common = {"raw_hash": "", "content_hash": "", "updated_at": now}
    for chunk in _chunks([id_ for id_, state in becomes.items() if state == TERMINATED]):
        _update(chunk, state=TERMINATED, state_changed_at=now, **common)
    for chunk in _chunks([id_ for id_, state in becomes.items() if state == MISSING]):
        _update(chunk, state=MISSING, missing_since=now, **common)
    note_changes(
        account_pk,
        ((id_, (ChangeKind.VANISHED, "state", state, becomes[id_], None)) for id_, state in absent),
        seen_at=now,
        run_id=run_id,
    )
    return len(absent)


def _told_since(began_at: datetime, instance_pks: Sequence[int]) -> set[int]:
    """Those of which an event has told since the reading began: the pages are older, and show nothing against it."""
    told: set[int] = set()
    for chunk in _chunks(instance_pks):
        told.update(
            db.session.scalars(
                sa.select(Instance.id).where(
                    Instance.id.in_(chunk), Instance.raw_hash == "", Instance.state_changed_at > began_at
                )
            )
        )
    return told


def _rehash(account_pk: int, intake: Intake, now: datetime) -> None:
    if not intake.rehashed:
        return
    scan = db.session.scalar(
        sa.select(RegionScan).where(RegionScan.account_id == account_pk, RegionScan.region == intake.region)
    )
    if scan is None or (scan.rehashed_at is not None and now - scan.rehashed_at < REHASH_EVERY):
        return
    scan.rehashed_at = now
    table = rows.INSTANCES
    # Not where somebody has changed the instance since: its hash was taken away so that it is read again.
    statement = (
        sa.update(table)
        .where(table.c.id == sa.bindparam("pk"), table.c.raw_hash == sa.bindparam("known"))
        .values(raw_hash=sa.bindparam("found"), updated_at=table.c.updated_at)
    )
    hashes = [{"pk": pk, "known": known, "found": found} for pk, known, found in intake.rehashed]
    db.session.connection().execute(statement, hashes)


def _update(ids: Sequence[int], **values: object) -> None:
    db.session.execute(
        sa.update(Instance).where(Instance.id.in_(ids)).values(**values).execution_options(synchronize_session=False)
    )


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
