"""The list of instances: every page of every order, on every database, equals what a loop over all rows gives."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import InvalidInputError, NotFoundError
from app.models import Instance, InstanceTag, User
from app.models.types import AccountStatus, AuthStatus, RegionResult, Role
from app.services import paging
from app.services.instances import facets, listing, ways
from app.services.instances.columns import SORTS
from app.services.instances.facets import FACETS, list_facets
from app.services.instances.filters import Criteria, InstanceFilters
from app.services.instances.freshness import find_freshness
from app.services.instances.tallies import KINDS, tally_instances
from tests.factories import make_account, make_instance, make_user

NAMES = ("web-1", "Web-2", "WEB-10", "", "zz", "ärger", "🚀", 'quote"', "100%_x", "a" * 256, "web-1")
SIZE = 5


@pytest.fixture(scope="module")
def fleet(module_database: Flask) -> Flask:
    """Forty instances of one owner over two accounts, three of another's. No test commits."""
    dice = random.Random(7)
    with module_database.app_context():
        owner, other = make_user("owner"), make_user("other")
        make_user("admin", role=Role.ADMIN)
        accounts = [make_account(owner, status=AccountStatus.ACTIVE) for _ in range(2)]
        theirs = make_account(other, status=AccountStatus.ACTIVE)
        for index in range(43):
            instance = make_instance(
                theirs if index >= 40 else accounts[index % 2],
                name=dice.choice(NAMES),
                instance_type=dice.choice(("m5.large", "c5.xlarge")),
                region=dice.choice(("us-east-1", "eu-west-1")),
                state=dice.choice(("running", "stopped", "hovering")),
                lifecycle=dice.choice(("spot", "on-demand", "capacity-block")),
                auth_status=dice.choice(list(AuthStatus)),
                private_ip=f"10.0.{index % 3}.{index}",
                first_seen_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=index // 3),
                # Three at a moment, and AWS does not say of every third when it was.
                launched_at=datetime(2026, 1, 1, tzinfo=UTC) - timedelta(hours=index // 6) if index % 3 else None,
            )
            team = dice.choice(("data", "Data", "web"))
            db.session.add(InstanceTag(instance_pk=instance.id, key="team", value=team))
        db.session.commit()
    return module_database


def viewer(name: str) -> User:
    return db.session.scalars(sa.select(User).where(User.username == name)).one()


def walk(name: str, filters: InstanceFilters, sort: str) -> list[int]:
    """Every id in the list's order, page after page."""
    ids: list[int] = []
    cursor = None
    while True:
        page = listing.list_instances(viewer(name), filters, sort=sort, cursor=cursor, size=SIZE)
        ids += [row.id for row in page.items]
        cursor = page.next
        if cursor is None:
            return ids


def visible(name: str) -> list[Instance]:
    rows = db.session.scalars(sa.select(Instance)).all()
    owner = viewer(name)
    if owner.can(Role.ADMIN):
        return list(rows)
    accounts = set(db.session.scalars(sa.text(f"SELECT id FROM accounts WHERE user_id = {owner.id}")))
    return [row for row in rows if row.account_id in accounts]


class TestOrders:
    @pytest.mark.parametrize("falling", [False, True])
    @pytest.mark.parametrize("name", SORTS)
    def test_every_page_of_every_order_is_that_of_a_plain_sort(self, fleet: Flask, name: str, falling: bool) -> None:
        with fleet.app_context():
            key = SORTS[name].key
            # Code points, as ExactText compares; bytes in UTF-8 have the same order. What is not known comes last.
            rows = visible("owner")
            known = [row for row in rows if getattr(row, key) is not None]
            unknown = [row for row in rows if getattr(row, key) is None]
            expected = sorted(known, key=lambda row: (getattr(row, key), row.id), reverse=falling)
            expected += sorted(unknown, key=lambda row: row.id, reverse=falling)
            found = walk("owner", InstanceFilters(), f"-{name}" if falling else name)
            assert found == [row.id for row in expected]

    @pytest.mark.parametrize("sort", ["name", "launched", "-launched"])
    def test_going_back_shows_the_same_pages(self, fleet: Flask, sort: str) -> None:
        with fleet.app_context():
            pages: list[list[int]] = []
            cursor = None
            while True:
                page = listing.list_instances(viewer("owner"), InstanceFilters(), sort=sort, cursor=cursor, size=SIZE)
                pages.append([row.id for row in page.items])
                if page.next is None:
                    break
                cursor = page.next
            assert len(pages) == 8
            for expected in reversed(pages[:-1]):
                page = listing.list_instances(
                    viewer("owner"), InstanceFilters(), sort=sort, cursor=page.previous, size=SIZE
                )
                assert [row.id for row in page.items] == expected
            assert page.previous is None

    def test_a_page_does_not_shift_when_rows_come_before_it(self, fleet: Flask) -> None:
        with fleet.app_context():
            first = listing.list_instances(viewer("owner"), InstanceFilters(), sort="id", size=SIZE)
            following = listing.list_instances(
                viewer("owner"), InstanceFilters(), sort="id", cursor=first.next, size=SIZE
            )
            account_pk = first.items[0].account_id
            from app.models import Account

            make_instance(db.session.get_one(Account, account_pk), instance_id="i-00000000000000000")
            again = listing.list_instances(viewer("owner"), InstanceFilters(), sort="id", cursor=first.next, size=SIZE)
            assert [row.id for row in again.items] == [row.id for row in following.items]


EXPECTATIONS: list[tuple[dict[str, tuple[str, ...]], Any]] = [
    ({"region": ("us-east-1",)}, lambda row: row.region == "us-east-1"),
    ({"state": ("running", "stopped")}, lambda row: row.state in ("running", "stopped")),
    ({"state": ("hovering",), "lifecycle": ("spot",)}, lambda row: (row.state, row.lifecycle) == ("hovering", "spot")),
    ({"type": ("c5.xlarge",)}, lambda row: row.instance_type == "c5.xlarge"),
    ({"auth_status": ("unauthorized",)}, lambda row: row.auth_status is AuthStatus.UNAUTHORIZED),
    ({"q": ("web-1",)}, lambda row: row.name_key.startswith("web-1")),
    ({"q": ("WEB",)}, lambda row: row.name_key.startswith("web")),  # names fold case, tags do not
    ({"q": ("10.0.1.",)}, lambda row: row.private_ip.startswith("10.0.1.")),
    ({"q": ("100%_",)}, lambda row: row.name.startswith("100%_")),
    ({"q": ("🚀",)}, lambda row: row.name == "🚀"),
    ({"tag": ("team=data",)}, lambda row: row.id in TEAM["data"]),
    ({"tag": ("team=Data",)}, lambda row: row.id in TEAM["Data"]),
    ({"tag": ("team",)}, lambda row: True),
    ({"tag": ("nothing",)}, lambda row: False),
    ({"tag": ("team=data", "team=web")}, lambda row: row.id in TEAM["data"] | TEAM["web"]),
    ({"tag": ("team=data", "env=prod")}, lambda row: False),
    ({"q": ("web", "web-1")}, lambda row: row.name_key.startswith("web-1")),
    ({"-region": ("us-east-1",)}, lambda row: row.region != "us-east-1"),
    ({"-state": ("running",), "state": ("running", "stopped")}, lambda row: row.state == "stopped"),
    ({"-auth_status": ("unauthorized",)}, lambda row: row.auth_status is AuthStatus.AUTHORIZED),
    ({"-tag": ("team=data", "team=web")}, lambda row: row.id in TEAM["Data"]),
    ({"-tag": ("team",)}, lambda row: False),
    ({"-q": ("web", "10.0.1.")}, lambda row: not row.name_key.startswith("web") and "10.0.1." not in row.private_ip),
    ({"tag": ("team=data",), "type": ("m5.large",)}, lambda row: (row.id in TEAM["data"], row.instance_type) == M5),
    ({"q": ("web",), "state": ("running",)}, lambda row: row.name_key.startswith("web") and row.state == "running"),
    ({"account": ("1",)}, lambda row: False),
    ({"account": ("9" * 30,)}, lambda row: False),
]
TEAM: dict[str, set[int]] = {}
M5 = (True, "m5.large")


class TestFilters:
    @pytest.mark.parametrize(("filters", "expected"), EXPECTATIONS, ids=range(len(EXPECTATIONS)))
    def test_it_finds_what_a_loop_over_all_rows_finds(
        self, fleet: Flask, monkeypatch: pytest.MonkeyPatch, filters: dict[str, tuple[str, ...]], expected: Any
    ) -> None:
        with fleet.app_context():
            TEAM.clear()
            for tag in db.session.scalars(sa.select(InstanceTag)):
                TEAM.setdefault(tag.value, set()).add(tag.instance_pk)
            for name in ("owner", "admin"):
                wanted = [row for row in visible(name) if expected(row)]
                # Along the order, and gathered: which one depends on how many there are.
                for many in (0, 10**9):
                    monkeypatch.setattr(ways, "_count_all", lambda: many)  # noqa: B023 - called at once
                    found = walk(name, InstanceFilters.parse(filters), "type")
                    assert found == [row.id for row in sorted(wanted, key=lambda row: (row.instance_type, row.id))]
                    page = listing.list_instances(viewer(name), InstanceFilters.parse(filters))
                    assert (page.total, page.is_total_capped) == (len(wanted), False)

    def test_it_finds_an_instance_by_the_beginning_of_its_id(self, fleet: Flask) -> None:
        with fleet.app_context():
            target = visible("owner")[0]
            assert walk("owner", InstanceFilters(q=(target.instance_id.upper(),)), "id") == [target.id]


class TestScope:
    def test_owners_see_their_own_and_admins_all(self, fleet: Flask) -> None:
        with fleet.app_context():
            assert len(walk("owner", InstanceFilters(), "id")) == 40
            assert len(walk("other", InstanceFilters(), "id")) == 3
            assert len(walk("admin", InstanceFilters(), "id")) == 43

    def test_the_total_is_of_all_pages(self, fleet: Flask) -> None:
        with fleet.app_context():
            for name in ("owner", "other", "admin"):
                page = listing.list_instances(viewer(name), InstanceFilters(), size=2)
                assert (page.total, page.is_total_capped) == (len(visible(name)), False)
                searched = listing.list_instances(viewer(name), InstanceFilters(q=("10.0.1",)), size=2)
                assert searched.total == sum(row.private_ip.startswith("10.0.1") for row in visible(name))

    def test_a_large_total_is_counted_to_its_cap(self, fleet: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paging, "COUNT_CAP", 7)
        with fleet.app_context():
            tagged = InstanceFilters(tag=("team",))
            for name, total in (("admin", (7, True)), ("owner", (7, True)), ("other", (3, False))):
                page = listing.list_instances(viewer(name), tagged, size=2)
                assert (page.total, page.is_total_capped) == total
            # What is counted beforehand has no cap.
            page = listing.list_instances(viewer("admin"), InstanceFilters(), size=2)
            assert (page.total, page.is_total_capped) == (43, False)

    def test_naming_somebody_else_s_account_finds_nothing(self, fleet: Flask) -> None:
        with fleet.app_context():
            theirs = visible("other")[0].account_id
            assert walk("owner", InstanceFilters(account=(str(theirs),)), "id") == []

    def test_counts_of_choices_are_of_one_s_own(self, fleet: Flask) -> None:
        with fleet.app_context():
            for name in ("owner", "other", "admin"):
                tallies = tally_instances(viewer(name))
                for kind in KINDS:
                    assert sum(count for _, count in tallies.by(kind)) == len(visible(name))

    def test_somebody_else_s_instance_is_not_there(self, fleet: Flask) -> None:
        with fleet.app_context(), pytest.raises(NotFoundError):
            listing.get_instance(viewer("owner"), visible("other")[0].id)


def facet_of(row: Instance, name: str) -> str:
    column = {"account": "account_id", "type": "instance_type"}.get(name, name)
    value = getattr(row, column)
    return str(getattr(value, "value", value))


class TestFacets:
    @pytest.mark.parametrize(
        "filters",
        [
            {},
            {"state": ("running", "stopped"), "region": ("us-east-1",)},
            {"type": ("m5.large",), "-state": ("hovering",)},
            {"tag": ("team=data",), "lifecycle": ("spot",)},
            {"q": ("web",)},
        ],
        ids=str,
    )
    def test_counts_are_of_what_fits_all_other_filters(self, fleet: Flask, filters: dict[str, tuple[str, ...]]) -> None:
        with fleet.app_context():
            parsed = InstanceFilters.parse(filters)
            told = 0
            for facet in list_facets(viewer("owner"), parsed, FACETS):
                others = {name: values for name, values in filters.items() if name.removeprefix("-") != facet.name}
                found = set(walk("owner", InstanceFilters.parse(others), "id"))
                true = Counter(facet_of(row, facet.name) for row in visible("owner") if row.id in found)
                shown = {each.value: each.count for each in facet.values if each.count}
                if any(each.count is None for each in facet.values):
                    assert shown == {}
                    continue
                told += 1
                assert shown == dict(true)
            assert told >= 4

    def test_too_many_are_not_counted_by_value(self, fleet: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(facets, "COUNT_CAP", 7)
        with fleet.app_context():
            (facet,) = list_facets(viewer("owner"), InstanceFilters(tag=("team",)), ["state"])
            assert facet.is_capped
            assert {each.count for each in facet.values} == {None}

    def test_what_is_chosen_is_listed_although_there_is_none(self, fleet: Flask) -> None:
        with fleet.app_context():
            (facet,) = list_facets(viewer("other"), InstanceFilters(state=("pending",)), ["state"])
            assert ("pending", 0) in [(each.value, each.count) for each in facet.values]

    def test_somebody_else_s_account_is_no_choice(self, fleet: Flask) -> None:
        with fleet.app_context():
            (facet,) = list_facets(viewer("other"), InstanceFilters(), ["account"])
            assert [each.value for each in facet.values] == [str(visible("other")[0].account_id)]


class TestFreshness:
    def test_it_counts_regions_and_names_the_unread(self, fleet: Flask) -> None:
        from app.models import RegionScan

        now = datetime(2026, 5, 5, tzinfo=UTC)
        with fleet.app_context():
            account_pk = visible("owner")[0].account_id
            for region, result, read_at in (
                ("us-east-1", RegionResult.READ, now),
                ("eu-west-1", RegionResult.DENIED_SCP, now - timedelta(days=1)),
                ("me-south-1", RegionResult.NOT_OPTED_IN, None),
            ):
                db.session.add(
                    RegionScan(account_id=account_pk, region=region, result=result, since_at=now, last_read_at=read_at)
                )
            db.session.flush()
            found = find_freshness(viewer("owner"), InstanceFilters(), interval_seconds=900)
            assert (found.read, found.enabled, found.is_complete) == (1, 2, False)
            assert found.as_of == now
            assert [each.region for each in found.unread_reasons] == ["eu-west-1"]
            assert find_freshness(viewer("other"), InstanceFilters(), interval_seconds=900).enabled == 0
            narrowed = find_freshness(viewer("owner"), InstanceFilters(region=("us-east-1",)), interval_seconds=900)
            assert narrowed.is_complete
            without = InstanceFilters(excluded=Criteria(region=("eu-west-1",)))
            assert find_freshness(viewer("owner"), without, interval_seconds=900).is_complete
            without = InstanceFilters(excluded=Criteria(account=(str(account_pk),)))
            assert find_freshness(viewer("owner"), without, interval_seconds=900).enabled == 0


class TestCursors:
    @pytest.mark.parametrize(
        "cursor", ["x", "====", "e30", "bnVsbA", "WzAsMCwieCIsLTFd", "WzAsMSwieCIsMV0", "é", "A" * 5000]
    )
    def test_what_is_none_of_ours_is_refused(self, fleet: Flask, cursor: str) -> None:
        with fleet.app_context(), pytest.raises(InvalidInputError):
            listing.list_instances(viewer("owner"), InstanceFilters(), cursor=cursor)
