"""One instance at two moments, field by field."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from app.database import db, first_id_at
from app.errors import InvalidInputError
from app.models import Instance, InstanceChange
from app.models.instance_change import FACTS, FIELDS, TAGS
from app.models.mixins import utc_now
from app.models.types import ChangeKind
from app.services.instances.moments import Key, Portrait, portrait_of, rebuild
from app.services.instances.timeline import IMDS, LABELS

#: A row is written when its change is seen; what AWS says of when it happened is at most so far ahead of our clocks.
AWS_AHEAD = timedelta(minutes=30)

#: Names and their places in the order of the page: tags last, by their keys.
_ORDER = {name: place for place, name in enumerate((*FIELDS, *FACTS, TAGS))}

#: What the page of an instance shows and history does not tell of, in its words.
UNTRACKED = (
    "architecture",
    "block devices",
    "key pair",
    "network interfaces",
    "platform",
    "reason of its state",
    "subnet",
    "tenancy",
    "VPC",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One field at both moments, as text: empty where there was nothing, None where nobody knew of the instance."""

    label: str
    before: str | None
    after: str | None

    @property
    def is_changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Comparison:
    """An instance at two moments: what differs, and what does not."""

    changed: Sequence[Line]
    same: Sequence[Line]
    is_first_known: bool
    is_second_known: bool


def check_moment(moment: datetime, history_days: int, *, field: str) -> datetime:
    """The moment itself, where history reaches it.

    Raises:
        InvalidInputError: it is to come, or so long ago that the changes since are not all kept.
    """
    now = utc_now()
    if moment > now:
        raise InvalidInputError("This moment is yet to come.", field=field)
    if moment < earliest_moment(history_days):
        kept = "1 day" if history_days == 1 else f"{history_days:,} days"
        raise InvalidInputError(f"History is kept for {kept}: choose a later moment.", field=field)
    return moment


def earliest_moment(history_days: int) -> datetime:
    """How far back history reaches."""
    return utc_now() - timedelta(days=history_days)


def later(moment: datetime) -> list[sa.ColumnElement[bool]]:
    """Conditions on changes that came after the moment (as `moments.told_at` has it); the first is a range of the index
    that begins with the instance."""
    return [
        InstanceChange.id >= first_id_at(moment - AWS_AHEAD),
        InstanceChange.kind != ChangeKind.APPEARED,
        sa.func.coalesce(InstanceChange.happened_at, InstanceChange.seen_at) > moment,
    ]


def compare(instance: Instance, first: datetime, second: datetime) -> Comparison:
    """Both moments side by side, in one statement; `first` is the earlier one.

    Of each field the first change after a moment says what it was, and the others nothing more; of tags each may be of
    another key.
    """
    own = InstanceChange.instance_pk == instance.id
    deciding = [
        sa.select(sa.func.min(InstanceChange.id))
        .where(own, InstanceChange.field != TAGS, *later(moment))
        .group_by(InstanceChange.field)
        for moment in (first, second)
    ]
    of_tags = sa.and_(InstanceChange.field == TAGS, *later(first))
    query = sa.select(InstanceChange).where(own, sa.or_(of_tags, *(InstanceChange.id.in_(ids) for ids in deciding)))
    changes = db.session.scalars(query).all()
    present = portrait_of(instance)
    then = [
        rebuild(present, changes, moment) if moment >= instance.first_seen_at else None for moment in (first, second)
    ]
    lines = list(lines_of(*then))
    return Comparison(
        changed=[line for line in lines if line.is_changed],
        same=[line for line in lines if not line.is_changed],
        is_first_known=then[0] is not None,
        is_second_known=then[1] is not None,
    )


def words(key: Key, value: Any) -> str:
    """A value as the rest of the page says it; empty for none."""
    if value is None or value == "":
        return "“”" if key[0] == TAGS and value == "" else ""
    if key[0] == TAGS:
        return f"“{value}”"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    text = str(value)
    return IMDS.get(text, text) if key[0] == "Imds" else text


def lines_of(before: Portrait | None, after: Portrait | None) -> Iterator[Line]:
    """Every field of either, in the order of the page; pure."""
    keys = (before or {}).keys() | (after or {}).keys()
    for key in sorted(keys, key=lambda key: (_ORDER[key[0]], key[1])):
        label = f"Tag {key[1]}" if key[0] == TAGS else LABELS[key[0]]
        yield Line(label, *(None if then is None else words(key, then.get(key)) for then in (before, after)))
