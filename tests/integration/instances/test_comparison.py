"""One instance at two moments, read from every database, against all of its history."""

import random
from datetime import datetime, timedelta
from typing import Any

from flask import Flask

from app.database import db, first_id_at
from app.models import InstanceChange
from app.models.instance_change import TAGS
from app.models.mixins import utc_now
from app.models.types import AccountStatus, ChangeKind
from app.services.instances.comparison import compare
from tests.factories import make_account, make_instance, make_user

BEGINNING = (utc_now() - timedelta(days=5)).replace(microsecond=0)


def at(hours: float) -> datetime:
    return BEGINNING + timedelta(hours=hours)


def test_the_few_rows_that_are_read_decide_as_all_would(any_database: Flask) -> None:
    """200 changes of three fields and three tags, some of which happened before they were seen; every pair of hours."""
    dice = random.Random(5)
    now: dict[str, Any] = {"state": "running", "instance_type": "m5.large", "name": "a", "x": "1", "y": "1", "z": "1"}
    diary: list[dict[str, Any]] = [dict(now)]
    with any_database.app_context():
        instance = make_instance(
            make_account(make_user("owner"), status=AccountStatus.ACTIVE), first_seen_at=at(0), name="a"
        )
        for hour in range(1, 21):
            for step in range(10):
                key = dice.choice(sorted(now))
                before, after = now[key], dice.choice(["running", "stopped", "1", "2"])
                if before == after:
                    continue
                now[key] = after
                told = (TAGS, {key: before}, {key: after}) if key in "xyz" else (key, before, after)
                moment = at(hour) - timedelta(minutes=30 - step)
                db.session.add(
                    InstanceChange(
                        id=first_id_at(moment + timedelta(minutes=5)) + dice.getrandbits(20),
                        account_id=instance.account_id,
                        instance_pk=instance.id,
                        kind=ChangeKind.CHANGED,
                        **dict(zip(("field", "before", "after"), told, strict=True)),
                        seen_at=moment + timedelta(minutes=5),
                        happened_at=moment if dice.random() < 0.5 and key == "state" else None,
                    )
                )
            diary.append(dict(now))
        instance.state, instance.instance_type, instance.name = now["state"], now["instance_type"], now["name"]
        instance.instance_metadata = {TAGS: {key: now[key] for key in "xyz"}}
        db.session.flush()
        labels = {"State": "state", "Type": "instance_type", "Name": "name", "Tag x": "x", "Tag y": "y", "Tag z": "z"}
        for first in range(0, 21, 3):
            for second in range(first, 21, 4):
                found = compare(instance, at(first), at(second))
                told_of = {line.label: (line.before, line.after) for line in found.changed}
                assert told_of == {
                    label: (shown(key, diary[first][key]), shown(key, diary[second][key]))
                    for label, key in labels.items()
                    if diary[first][key] != diary[second][key]
                }
        db.session.rollback()


def shown(key: str, value: str) -> str:
    return f"“{value}”" if key in "xyz" else value
