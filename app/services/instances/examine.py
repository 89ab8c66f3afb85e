"""Proves what is kept beside the instances (counts, and tags for searching) equal to the instances, and mends it.

An installation may be at work meanwhile. Whoever changes instances locks the account's row before the commit, so what
is compared under that lock is of one moment; tags are read without it, and looked at again under it where they differ.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.database import db
from app.models import Account, Instance, InstanceTag, RegionScan
from app.models.instance import MISSING, TERMINATED
from app.services.discovery.rows import TAG_COLUMNS, TAGS, stored_tags
from app.services.instances.change_tallies import find_wrong_change_tallies
from app.services.instances.tallies import find_wrong_tallies, refresh_tallies


@dataclass(frozen=True, slots=True)
class TagBatch:
    """Some instances whose tags were compared, up to the row `last_pk`; one line in `wrong` for each difference."""

    last_pk: int
    examined: int
    wrong: Sequence[str]


def list_account_keys() -> Sequence[tuple[int, str]]:
    """The primary key and AWS id of every account, in the order of the keys."""
    return [(row[0], row[1]) for row in db.session.execute(sa.select(Account.id, Account.account_id).order_by("id"))]


def examine_counts(account_pk: int, *, mend: bool = False) -> list[str]:
    """What the counts of an account say that its rows do not bear out, one line each; `mend` counts anew.

    End the transaction afterwards: it holds the account.
    """
    account = _lock(account_pk)
    if account is None:
        return []  # disconnected meanwhile
    wrong = find_wrong_tallies(account_pk)
    if wrong and mend:
        refresh_tallies(account_pk)
    wrong += find_wrong_change_tallies(account_pk, mend=mend)
    wrong += _examine_account_count(account, mend=mend)
    wrong += _examine_region_counts(account, mend=mend)
    db.session.flush()
    return wrong


def examine_tags(account_pk: int, *, after: int, batch_size: int, mend: bool = False) -> TagBatch | None:
    """Compare the tags of the account's next instances with those they can be found by; None when there are no more.

    End the transaction after each batch.
    """
    true = _true_tags(
        sa.select(*_TRUE)
        .where(Instance.account_id == account_pk, Instance.id > after)
        .order_by(Instance.id)
        .limit(batch_size)
    )
    if not true:
        return None
    suspects = _differing(true, _kept_tags(list(true)))
    wrong: list[str] = []
    if suspects and _lock(account_pk) is not None:
        again = _true_tags(sa.select(*_TRUE).where(Instance.id.in_(suspects)))
        kept = _kept_tags(suspects)
        differing = _differing(again, kept)
        wrong = [_words(again[pk], kept.get(pk, {})) for pk in differing]
        if mend:
            _write_tags({pk: again[pk].tags for pk in differing})
    return TagBatch(max(true), len(true), wrong)


@dataclass(frozen=True, slots=True)
class _Tagged:
    instance_id: str
    tags: Mapping[str, str]


#: The tags alone of each row's metadata, which is long.
_TRUE = (
    Instance.id,
    Instance.instance_id,
    sa.type_coerce(Instance.instance_metadata, sa.JSON)["Tags"].label("tags"),
)


def _true_tags(query: sa.Select[Any]) -> dict[int, _Tagged]:
    return {row.id: _Tagged(row.instance_id, stored_tags(row.tags or {})) for row in db.session.execute(query)}


def _kept_tags(instance_pks: Sequence[int]) -> dict[int, dict[str, str]]:
    kept: dict[int, dict[str, str]] = {}
    query = sa.select(InstanceTag.instance_pk, InstanceTag.key, InstanceTag.value)
    for pk, key, value in db.session.execute(query.where(InstanceTag.instance_pk.in_(instance_pks))):
        kept.setdefault(pk, {})[key] = value
    return kept


def _differing(true: Mapping[int, _Tagged], kept: Mapping[int, Mapping[str, str]]) -> list[int]:
    return [pk for pk, instance in true.items() if instance.tags != kept.get(pk, {})]


def _words(instance: _Tagged, kept: Mapping[str, str]) -> str:
    """Keys only: what is in a tag is the customer's."""
    lost = sorted(instance.tags.keys() - kept.keys())
    invented = sorted(kept.keys() - instance.tags.keys())
    other = sorted(key for key in instance.tags.keys() & kept.keys() if instance.tags[key] != kept[key])
    parts = [
        f"{what} {', '.join(map(repr, keys))}"
        for what, keys in (("lacks", lost), ("has too many:", invented), ("has another value of", other))
        if keys
    ]
    return f"instance_tags: {instance.instance_id} {'; '.join(parts)}"


def _write_tags(tags: Mapping[int, Mapping[str, str]]) -> None:
    if not tags:
        return
    db.session.execute(
        sa.delete(InstanceTag)
        .where(InstanceTag.instance_pk.in_(list(tags)))
        .execution_options(synchronize_session=False)
    )
    rows = [dict(zip(TAG_COLUMNS, (pk, key, value), strict=True)) for pk in tags for key, value in tags[pk].items()]
    if rows:
        db.session.execute(sa.insert(TAGS), rows)


def _lock(account_pk: int) -> Account | None:
    query = sa.select(Account).where(Account.id == account_pk).with_for_update()
    return db.session.scalar(query.execution_options(populate_existing=True))


def _examine_account_count(account: Account, *, mend: bool) -> list[str]:
    query = sa.select(sa.func.count()).where(Instance.account_id == account.id, Instance.state != MISSING)
    true = db.session.scalar(query) or 0
    if account.instance_count == true:
        return []
    wrong = f"accounts.instance_count: {account.instance_count} instead of {true}"
    if mend:
        account.instance_count = true
    return [wrong]


def _examine_region_counts(account: Account, *, mend: bool) -> list[str]:
    """A region's count is that of its last reading: no more than the rows it left, and no fewer than those alive."""
    # AWS shows what is terminated for about an hour only; its row stays.
    is_alive = sa.case((Instance.state == TERMINATED, 0), else_=1)
    query = (
        sa.select(Instance.region, sa.func.count(), sa.cast(sa.func.sum(is_alive), sa.Integer))
        .where(Instance.account_id == account.id, Instance.state != MISSING)
        .group_by(Instance.region)
    )
    true = {region: (alive, present) for region, present, alive in db.session.execute(query)}
    wrong = []
    scans = db.session.scalars(sa.select(RegionScan).where(RegionScan.account_id == account.id))
    for scan in scans.all():
        least, most = true.get(scan.region, (0, 0))
        if least <= scan.instance_count <= most:
            continue
        if scan.last_read_at is None and scan.instance_count == 0:
            continue  # never read, and what is there was told by events
        right = min(max(scan.instance_count, least), most)
        wrong.append(f"region_scans.instance_count: {scan.instance_count} instead of {right} in {scan.region}")
        if mend:
            scan.instance_count = right
    return wrong
