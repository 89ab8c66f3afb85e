"""What happened to instances lately, by day, from the counts that are kept of their history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from app.database import db
from app.models import ChangeTally, User
from app.models.mixins import utc_now
from app.services.instances.change_tallies import DEEDS, day_of
from app.services.scope import in_visible_account

#: How many days are shown, today included.
DAYS = 14


@dataclass(frozen=True, slots=True)
class Day:
    """One day in UTC over all of the viewer's accounts."""

    day: date
    accounts: int
    """How many of them were read."""

    appeared: int
    """Of accounts that were read on one of the days before, too: to the first reading everything is new."""

    started: int
    stopped: int
    terminated: int
    vanished: int

    @property
    def is_known(self) -> bool:
        """Where nothing was read, and no event came, zeros say nothing."""
        return self.accounts > 0 or any(getattr(self, deed) for deed in DEEDS)


def list_days(viewer: User) -> Sequence[Day]:
    """Each of the last days, the latest last, in one query that the length of the history does not touch."""
    today = day_of(utc_now())
    first = today - timedelta(days=DAYS - 1)
    is_visible = in_visible_account(ChangeTally.account_id, viewer)
    # Not each account's very first day, which would be looked for in all of the history.
    begun = (
        sa.select(ChangeTally.account_id, sa.func.min(ChangeTally.day).label("day"))
        .where(ChangeTally.day >= first - timedelta(days=DAYS), is_visible)
        .group_by(ChangeTally.account_id)
        .subquery()
    )
    summed = {
        "accounts": sa.case((ChangeTally.readings > 0, 1), else_=0),
        **{deed: getattr(ChangeTally, deed) for deed in DEEDS},
        "appeared": sa.case((ChangeTally.day > begun.c.day, ChangeTally.appeared), else_=0),
    }
    rows = db.session.execute(
        sa.select(
            ChangeTally.day,
            *(sa.cast(sa.func.sum(expression), sa.Integer).label(name) for name, expression in summed.items()),
        )
        .join(begun, begun.c.account_id == ChangeTally.account_id)
        .where(ChangeTally.day >= first, is_visible)
        .group_by(ChangeTally.day)
    )
    found = {row.day: Day(**row._mapping) for row in rows}
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return [found.get(day) or Day(day, **dict.fromkeys(("accounts", *DEEDS), 0)) for day in days]
