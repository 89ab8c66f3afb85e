"""Takes one region that was read to its end into the inventory: new, changed, vanished, returned."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from app.aws.records import InstanceRecord, RegionRead
from app.database import bulk_upsert, database_now, db, new_id
from app.models import Account, Instance, InstanceTag
from app.models.instance import MISSING
from app.models.types import AuthStatus
from app.services.instances.tallies import refresh_tallies

BEFORE_BASELINE = "Found before the first complete discovery"
AFTER_BASELINE = "Appeared after the first complete discovery"
BASELINE = "Baseline: found by the first complete discovery"

TABLE = cast("sa.Table", Instance.__table__)

#: An instance last seen in one of these is expected to vanish: AWS shows it for about an hour after it ended.
ENDING = frozenset({"shutting-down", "terminated"})
TERMINATED = "terminated"

#: How many ids one IN (...) holds; MariaDB and SQLite both slow down, or refuse, with very long ones.
CHUNK = 500

#: Written when an instance is first seen, never by a later reading.
KEPT_COLUMNS = ("id", "first_seen_at", "created_at", "auth_status", "auth_reason")


@dataclass(frozen=True, slots=True)
class Changes:
    """How many instances a reading found, and what it changed."""

    seen: int = 0
    added: int = 0
    changed: int = 0
    vanished: int = 0

    @property
    def is_any(self) -> bool:
        return bool(self.added or self.changed or self.vanished)

    def __add__(self, other: "Changes") -> "Changes":
        return Changes(
            self.seen + other.seen,
            self.added + other.added,
            self.changed + other.changed,
            self.vanished + other.vanished,
        )


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    state: str
    content_hash: str


def store_region(account: Account, read: RegionRead) -> Changes:
    """Bring the rows of one region up to what AWS says; unchanged instances are not written."""
    now = database_now()
    known = _known(account.id, read.region)
    fresh = [record for record in read.instances if record.instance_id not in known]
    changed = [
        record
        for record in read.instances
        if record.instance_id in known and _differs(known[record.instance_id], record)
    ]
    ids = {record.instance_id: new_id() for record in fresh}
    ids |= {record.instance_id: known[record.instance_id].id for record in changed}
    reason = AFTER_BASELINE if account.baseline_at else BEFORE_BASELINE
    bulk_upsert(
        db.session(),
        TABLE,
        [_row(account.id, ids[record.instance_id], record, now, reason) for record in [*fresh, *changed]],
        key=("account_id", "instance_id"),
        keep=KEPT_COLUMNS,
    )
    _store_tags({ids[record.instance_id]: record.tags for record in [*fresh, *changed]}, new=len(fresh))
    seen = {record.instance_id for record in read.instances}
    vanished = _mark_vanished(
        [row for instance_id, row in known.items() if instance_id not in seen and row.state != MISSING], now
    )
    changes = Changes(seen=len(seen), added=len(fresh), changed=len(changed), vanished=vanished)
    if changes.is_any:
        refresh_tallies(account.id, read.region)
    return changes


def authorize_baseline(account: Account) -> int:
    """Authorize all that is known of the account, once: what came before somebody could have an opinion."""
    now = database_now()
    account.baseline_at = now
    result = db.session.execute(
        sa.update(Instance)
        .where(Instance.account_id == account.id, Instance.auth_changed_at.is_(None))
        .values(auth_status=AuthStatus.AUTHORIZED, auth_reason=BASELINE, auth_changed_at=now)
        .execution_options(synchronize_session=False)
    )
    refresh_tallies(account.id)
    return int(getattr(result, "rowcount", 0))


def count_present(account_pk: int) -> int:
    """Instances of the account that its last readings show, whatever their state."""
    return (
        db.session.scalar(
            sa.select(sa.func.count())
            .select_from(Instance)
            .where(Instance.account_id == account_pk, Instance.missing_since.is_(None))
        )
        or 0
    )


def _known(account_pk: int, region: str) -> dict[str, _Known]:
    rows = db.session.execute(
        sa.select(Instance.instance_id, Instance.id, Instance.state, Instance.content_hash).where(
            Instance.account_id == account_pk, Instance.region == region
        )
    )
    return {row.instance_id: _Known(row.id, row.state, row.content_hash) for row in rows}


def _differs(known: _Known, record: InstanceRecord) -> bool:
    # One that had been given up as missing or gone, and is back, is written whatever its content.
    return known.content_hash != record.content_hash or known.state != record.state


def _row(account_pk: int, id_: int, record: InstanceRecord, now: datetime, reason: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": id_,
        "account_id": account_pk,
        "instance_id": record.instance_id,
        "region": record.region,
        "instance_type": record.instance_type,
        "state": record.state,
        "lifecycle": record.lifecycle,
        "availability_zone": record.availability_zone or "",
        "availability_zone_id": record.availability_zone_id or "",
        "name": record.name,
        "name_key": record.name.casefold(),
        "private_ip": record.private_ip or "",
        "public_ip": record.public_ip or "",
        "vpc_id": record.vpc_id or "",
        "subnet_id": record.subnet_id or "",
        "image_id": record.image_id or "",
        "platform": record.platform or "",
        "usage_operation": record.usage_operation or "",
        "state_reason_code": record.state_reason_code or "",
        "state_reason": record.state_reason_message or "",
    }
    # AWS sets no bound that the columns could rely on, and PostgreSQL and MariaDB refuse what is too long.
    for name, value in row.items():
        if isinstance(value, str):
            row[name] = value[: getattr(TABLE.columns[name].type, "length", None)]
    return row | {
        "launched_at": record.launched_at,
        "first_launched_at": record.first_launched_at,
        "state_changed_at": record.state_changed_at,
        "missing_since": None,
        "content_hash": record.content_hash,
        "instance_metadata": {
            **record.metadata,
            "Tags": record.tags,
            "Architecture": record.architecture,
            "Tenancy": record.tenancy,
            "Imds": record.imds,
            "SpotInstanceRequestId": record.spot_request_id,
            "IamInstanceProfileArn": record.iam_profile_arn,
            "KeyName": record.key_name,
            "SecurityGroupIds": list(record.security_groups),
            "Vcpus": record.vcpus,
            "OperatedBy": record.operator,
        },
        "auth_status": AuthStatus.UNAUTHORIZED,
        "auth_reason": reason,
        "first_seen_at": now,
        "created_at": now,
        "updated_at": now,
    }


def _store_tags(tags: Mapping[int, Mapping[str, str]], *, new: int) -> None:
    """Replace the tag rows of the given instances; the first `new` of them have none yet."""
    for chunk in _chunks(list(tags)[new:]):
        db.session.execute(
            sa.delete(InstanceTag)
            .where(InstanceTag.instance_pk.in_(chunk))
            .execution_options(synchronize_session=False)
        )
    rows = [
        {"instance_pk": instance_pk, "key": key, "value": value[:256]}
        for instance_pk, own in tags.items()
        # MariaDB compares text without the spaces it ends in: two keys that differ in them only are one there.
        for key, value in {key[:128].rstrip(" "): value for key, value in own.items()}.items()
    ]
    if rows:
        db.session.connection().execute(sa.insert(InstanceTag), rows)


def _mark_vanished(rows: Sequence[_Known], now: datetime) -> int:
    """What a complete reading does not show: gone if it was ending, else missing; never deleted."""
    gone = [row.id for row in rows if row.state in ENDING - {TERMINATED}]
    missing = [row.id for row in rows if row.state not in ENDING]
    for chunk in _chunks(gone):
        _update(chunk, state=TERMINATED, state_changed_at=now, updated_at=now)
    for chunk in _chunks(missing):
        _update(chunk, state=MISSING, missing_since=now, updated_at=now)
    return len(gone) + len(missing)


def _update(ids: Sequence[int], **values: Any) -> None:
    db.session.execute(
        sa.update(Instance).where(Instance.id.in_(ids)).values(**values).execution_options(synchronize_session=False)
    )


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
