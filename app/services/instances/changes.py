"""What has changed about a viewer's instances since a moment: counted by kind and account, and told one by one."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.database import db, first_id_at
from app.models import Account, Instance, InstanceChange, User
from app.models.types import ChangeKind, Role
from app.services.instances.timeline import Step, steps_of
from app.services.paging import COUNT_CAP, Sort
from app.services.scope import parts_by_account, visible_accounts
from app.services.sifting import SiftedPage, fetch_sifted_page, first_of

#: Kinds of change that somebody asks about, and what they are called on the page, in its order.
KINDS = {
    "appeared": "appeared",
    "started": "started",
    "stopped": "stopped",
    "terminated": "terminated",
    "vanished": "went missing",
    "returned": "returned",
    "exposed": "became public",
    "unprotected": "lost IMDSv2",
    "warned": "given spot notice",
    "authorization": "authorized or unauthorized",
    "tags": "retagged or renamed",
    "other": "otherwise changed",
}

#: Newest first; ids are in the order of their times.
SORT = Sort(InstanceChange.id, InstanceChange.id, is_descending=True)

#: The page names so many accounts, those with the most changes.
MOST_ACCOUNTS = 10

#: A count beside a link goes no further.
BADGE_CAP = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeFilters:
    """Which changes are asked for; None and empty ask for all."""

    since: datetime
    account_pk: int | None = None
    kind: str = ""
    """One of KINDS."""
    field: str = ""


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """How many changes of each kind an account's instances had."""

    account_pk: int | None
    """None for all the accounts that are not named."""
    account_name: str
    counts: Mapping[str, int]
    """Those that occur, in the page's order."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Summary:
    """The changes by account and kind."""

    accounts: Sequence[AccountChanges]
    of_all: AccountChanges
    total: int
    is_capped: bool
    """Whether there are more: then only the newest were counted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was learned of one instance at once."""

    instance_pk: int
    instance_id: str
    name: str
    region: str
    account_pk: int
    account_name: str
    seen_at: datetime
    steps: Sequence[Step]


def summarize_changes(viewer: User, filters: ChangeFilters) -> Summary:
    """Count the newest changes, whatever their kind and field, by account and kind. In three statements at most."""
    newest = first_of(_within(viewer, filters), SORT, COUNT_CAP + 1, is_falling=True)
    told = (
        sa.select(InstanceChange.account_id, _kind().label("kind"))
        .join(newest, newest.c.id == InstanceChange.id)
        .subquery()
    )
    query = sa.select(told.c.account_id, told.c.kind, sa.func.count()).group_by(told.c.account_id, told.c.kind)
    counted: dict[int, Counter[str]] = {}
    for account_pk, kind, count in db.session.execute(query):
        counted.setdefault(account_pk, Counter())[kind] = count
    of_all = sum(counted.values(), Counter[str]())
    first = sorted(counted, key=lambda pk: (-counted[pk].total(), pk))
    named = first[:MOST_ACCOUNTS]
    names = _names(named)
    accounts = [AccountChanges(pk, names[pk], _in_order(counted[pk])) for pk in named if pk in names]
    if rest := first[MOST_ACCOUNTS:]:
        together = sum((counted[pk] for pk in rest), Counter[str]())
        accounts.append(AccountChanges(None, f"{len(rest):,} more", _in_order(together)))
    total = of_all.total()
    return Summary(accounts, AccountChanges(None, "All", _in_order(of_all)), min(total, COUNT_CAP), total > COUNT_CAP)


def list_changes(viewer: User, filters: ChangeFilters, cursor: str | None = None) -> SiftedPage[Entry]:
    """A page of the changes, newest first, those of one instance and moment together. In at most four statements.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """

    def sift(query: Any) -> Any:
        if filters.field:
            query = query.where(InstanceChange.field == filters.field)
        return query.where(_kind() == filters.kind) if filters.kind else query

    shown = (
        sa.select(
            InstanceChange,
            InstanceChange.id,
            Instance.instance_id,
            Instance.name,
            Instance.region,
            Account.account_name,
        )
        .join(Instance, Instance.id == InstanceChange.instance_pk)
        .join(Account, Account.id == InstanceChange.account_id)
    )
    page = fetch_sifted_page(_within(viewer, filters), sift, shown, SORT, cursor)
    return replace(page, items=list(_entries(page.items)))


def count_unseen(viewer: User) -> int:
    """How many changes there were since the viewer last marked them as seen, counting to BADGE_CAP + 1; none for who
    never did: then everything would be new."""
    if viewer.changes_seen_at is None:
        return 0
    unseen = sa.select(InstanceChange.id).where(InstanceChange.id >= first_id_at(viewer.changes_seen_at))
    if not viewer.can(Role.ADMIN):
        # As numbers, and in no order: databases then read the ends of an index, and stop.
        own = db.session.scalars(sa.select(Account.id).where(visible_accounts(viewer))).all()
        unseen = unseen.where(InstanceChange.account_id.in_(own))
    limited = unseen.limit(BADGE_CAP + 1).subquery()
    return db.session.scalar(sa.select(sa.func.count()).select_from(limited)) or 0


def mark_seen(viewer: User, until: datetime) -> None:
    """Note that the viewer has seen the changes until then; never earlier than what was noted before."""
    if viewer.changes_seen_at is None or viewer.changes_seen_at < until:
        viewer.changes_seen_at = until
        db.session.flush()


def _within(viewer: User, filters: ChangeFilters) -> list[Any]:
    """Queries for the ids of all changes of the period: by ids, which are made from the time and with which every
    index of the table ends."""
    only = () if filters.account_pk is None else (filters.account_pk,)
    period = sa.select(InstanceChange.id).where(InstanceChange.id >= first_id_at(filters.since))
    return [period.where(part) for part in parts_by_account(InstanceChange.account_id, viewer, only)]


def _kind() -> sa.ColumnElement[str]:
    """One of KINDS for every row."""
    # Compared as JSON text, which all databases have alike for a plain string.
    before, after = (sa.cast(column, sa.Text) for column in (InstanceChange.before, InstanceChange.after))
    nothing = ('""', "null")
    is_state = InstanceChange.field == "state"
    had_no_address = sa.or_(before.is_(None), before.in_(nothing))
    return sa.case(
        (InstanceChange.kind == ChangeKind.APPEARED, "appeared"),
        (InstanceChange.kind == ChangeKind.RETURNED, "returned"),
        (sa.and_(is_state, after.in_(('"terminated"', '"shutting-down"'))), "terminated"),
        (InstanceChange.kind == ChangeKind.VANISHED, "vanished"),
        (sa.and_(is_state, after.in_(('"pending"', '"running"'))), "started"),
        (sa.and_(is_state, after.in_(('"stopping"', '"stopped"'))), "stopped"),
        (InstanceChange.field == "launched_at", "started"),
        (sa.and_(InstanceChange.field == "public_ip", had_no_address, after.not_in(nothing)), "exposed"),
        (sa.and_(InstanceChange.field == "Imds", after == '"optional"'), "unprotected"),
        (InstanceChange.field.in_(("interruption", "rebalance")), "warned"),
        (InstanceChange.field == "auth_status", "authorization"),
        (InstanceChange.field.in_(("Tags", "name")), "tags"),
        else_="other",
    )


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {kind: counts[kind] for kind in KINDS if counts.get(kind)}


def _names(account_pks: Sequence[int]) -> dict[int, str]:
    if not account_pks:
        return {}
    rows = db.session.execute(sa.select(Account.id, Account.account_name).where(Account.id.in_(account_pks)))
    return {row.id: row.account_name for row in rows}


def _entries(rows: Sequence[Any]) -> Iterator[Entry]:
    for (instance_pk, seen_at), group in itertools.groupby(
        rows, key=lambda row: (row.InstanceChange.instance_pk, row.InstanceChange.seen_at)
    ):
        together = list(group)
        first = together[0]
        yield Entry(
            instance_pk=instance_pk,
            instance_id=first.instance_id,
            name=first.name,
            region=first.region,
            account_pk=first.InstanceChange.account_id,
            account_name=first.account_name,
            seen_at=seen_at,
            # In the order in which they were written: the state first.
            steps=[step for row in reversed(together) for step in steps_of(row.InstanceChange)],
        )
