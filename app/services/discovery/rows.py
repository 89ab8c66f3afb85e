"""An instance's record as the tuples that are written: its row, and its tags."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa

from app.aws.records import InstanceRecord
from app.bulk import Row
from app.models import Instance, InstanceTag
from app.models.instance import MISSING
from app.models.types import AuthSource, AuthStatus

INSTANCES = cast("sa.Table", Instance.__table__)
TAGS = cast("sa.Table", InstanceTag.__table__)

#: Columns that take a value of the record as it is, in the order in which the record has them.
SAME = (
    "instance_id",
    "region",
    "instance_type",
    "state",
    "lifecycle",
    "availability_zone",
    "availability_zone_id",
    "name",
    "private_ip",
    "public_ip",
    "vpc_id",
    "subnet_id",
    "image_id",
    "launched_at",
    "first_launched_at",
    "platform",
    "usage_operation",
    "state_reason_code",
    "state_reason",
    "state_changed_at",
)
COLUMNS = (
    "id",
    "account_id",
    *SAME,
    "name_key",
    "instance_metadata",
    "content_hash",
    "raw_hash",
    "missing_since",
    "updated_at",
    "auth_status",
    "auth_source",
    "auth_reason",
    "first_seen_at",
    "created_at",
)
KEY = ("account_id", "instance_id")

#: Written when an instance is first seen, never by a later reading.
KEPT_COLUMNS = ("id", "first_seen_at", "created_at", "auth_status", "auth_source", "auth_reason")

TAG_COLUMNS = ("instance_pk", "key", "value")

#: AWS sets no bound that the columns could rely on, and PostgreSQL and MariaDB refuse what is too long.
_LENGTHS = [
    (place, length)
    for place, name in enumerate(SAME)
    if (length := getattr(INSTANCES.columns[name].type, "length", None)) is not None
]


def fitted(record: InstanceRecord) -> InstanceRecord:
    """The record as the columns can hold it: what is compared with a row must be what would be in it."""
    texts = cast("Sequence[str]", record)  # whatever has a length is text
    changed: dict[str, Any] = {
        SAME[place]: texts[place][:length] for place, length in _LENGTHS if len(texts[place]) > length
    }
    if record.state == MISSING:
        changed["state"] = "unknown"  # should AWS ever use the word, it means something else
    return record._replace(**changed) if changed else record


def instance_row(account_pk: int, instance_pk: int, record: InstanceRecord, now: datetime, auth_reason: str) -> Row:
    """The row of `instances` in the order of COLUMNS; the record is `fitted`."""
    return (
        instance_pk,
        account_pk,
        *record[: len(SAME)],
        record.name.casefold()[:256],
        record.metadata,
        record.content_hash,
        record.raw_hash,
        None,
        now,
        AuthStatus.UNAUTHORIZED,
        AuthSource.NONE,
        auth_reason,
        now,
        now,
    )


def tag_rows(instance_pk: int, record: InstanceRecord) -> list[Row]:
    """The rows of `instance_tags` in the order of TAG_COLUMNS."""
    return [(instance_pk, key, value) for key, value in stored_tags(record.tags).items()]


def stored_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """An instance's tags as the side table has them."""
    # MariaDB compares text without the spaces it ends in: two keys that differ in them only are one there.
    return {key[:128].rstrip(" "): value[:256] for key, value in tags.items()}
