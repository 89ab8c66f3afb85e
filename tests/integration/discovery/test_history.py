"""The history of instances: what becomes a row of it, from AWS's answers to the table."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event

from app import bulk
from app.aws import instance_page
from app.database import db
from app.models import Account, Instance, InstanceChange, InstanceTag, RegionScan
from app.models.types import ChangeKind, RegionResult
from app.services.discovery import inventory
from app.tasks import discovery
from demo.aws import cloud, paging
from demo.aws.cloud import SimulatedAws
from tests.factories import make_user
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import AWAY, HOME, digest, discover, rows, scan
from tests.jobs import run_jobs

#: (kind, field, before, after)
Told = tuple[ChangeKind, str, Any, Any]
Rewrite = Callable[[Callable[[list[str]], list[str]]], None]


def history(app: Flask, since: int = 0) -> list[InstanceChange]:
    """Every row that is newer than `since`, oldest first."""
    with app.app_context():
        query = sa.select(InstanceChange).where(InstanceChange.id > since).order_by(InstanceChange.id)
        found = list(db.session.scalars(query))
        db.session.expunge_all()
    return found


def told(changes: list[InstanceChange]) -> list[Told]:
    return [(change.kind, change.field, change.before, change.after) for change in changes]


def tags_of(app: Flask, instance: Instance) -> dict[str, str]:
    """The tags by which an instance is found."""
    with app.app_context():
        query = sa.select(InstanceTag).where(InstanceTag.instance_pk == instance.id)
        return {tag.key: tag.value for tag in db.session.scalars(query)}


def id_of(xml: str) -> str:
    found = re.search("<instanceId>(.*?)<", xml)
    assert found
    return found[1]


def only(one: Instance, old: str, new: str) -> Callable[[list[str]], list[str]]:
    """Say something else of one instance."""
    return lambda instances: [xml.replace(old, new) if id_of(xml) == one.instance_id else xml for xml in instances]


@contextmanager
def rows_written(app: Flask) -> Iterator[dict[str, int]]:
    """How many rows of each table are inserted, updated or deleted meanwhile."""
    counts: dict[str, int] = {}

    def note(_c: Any, cursor: Any, statement: str, _p: Any, _context: Any, _many: bool) -> None:
        if (written := re.match(r"(?:INSERT INTO|UPDATE|DELETE FROM) [\"`]?(\w+)", statement)) and cursor.rowcount > 0:
            counts[written[1]] = counts.get(written[1], 0) + cursor.rowcount

    with app.app_context():
        engine = db.engine
    event.listen(engine, "after_cursor_execute", note)
    try:
        yield counts
    finally:
        event.remove(engine, "after_cursor_execute", note)


@pytest.fixture
def rewrite(monkeypatch: pytest.MonkeyPatch) -> Rewrite:
    """`rewrite(lambda instances: ...)`: from now on AWS lists these instead, each of them XML."""

    def rewrite_by(change: Callable[[list[str]], list[str]]) -> None:
        monkeypatch.setattr(cloud, "instance_items", lambda body: change(paging.instance_items(body)))

    return rewrite_by


@pytest.fixture
def one(app: Flask, account: Account) -> Instance:
    """One of the instances at home."""
    return rows(app, region=HOME)[0]


@pytest.fixture
def before(app: Flask, account: Account) -> int:
    """Where the history ends before the test changes something."""
    return history(app)[-1].id


class TestAppearing:
    def test_every_instance_begins_with_it_and_with_its_true_first_launch(
        self, app: Flask, account: Account, fleet: SimulatedAws
    ) -> None:
        first = history(app)
        assert len(first) == 19
        assert {*told(first)} == {(ChangeKind.APPEARED, "state", None, "running")}
        assert {change.account_id for change in first} == {account.id}
        launched = {row.id: row.first_launched_at for row in rows(app)}
        assert None not in launched.values()
        assert {change.instance_pk: change.happened_at for change in first} == launched

        (made,) = fleet.run_instances(AWS_ID, AWAY, 1)
        run = discover(app, account)
        (later,) = history(app, first[-1].id)
        assert told([later]) == [(ChangeKind.APPEARED, "state", None, "running")]
        assert later.instance_pk == rows(app, instance_id=made.id)[0].id
        assert (later.run_id, later.event_pk) == (run.id, None)
        assert run.started_at is not None
        assert later.seen_at >= run.started_at


PROFILE = "arn:aws:iam::012345678901:instance-profile/web"
GROUP = "<groupSet><item><groupId>sg-2</groupId></item><item><groupId>sg-1</groupId></item></groupSet>"
NOTE = 'a "quote" <b>, =1+1 🙂'

#: What becomes different in an instance's XML, and the one row that tells it: (field, before, after).
EACH_KIND: tuple[tuple[str, str, tuple[str, Any, Any]], ...] = (
    ("<code>16</code><name>running<", "<code>64</code><name>stopping<", ("state", "running", "stopping")),
    ("<instanceType>m5.large<", "<instanceType>m5.xlarge<", ("instance_type", "m5.large", "m5.xlarge")),
    ("<monitoring>", "<instanceLifecycle>spot</instanceLifecycle><monitoring>", ("lifecycle", "on-demand", "spot")),
    ("<key>Name</key><value>home<", "<key>Name</key><value>ours<", ("name", "home", "ours")),
    ("<key>note<", "<key>remark<", ("Tags", {"note": NOTE}, {"remark": NOTE})),
    ("<tagSet>", "<tagSet><item><key>team</key><value/></item>", ("Tags", {}, {"team": ""})),
    ("<monitoring>", "<ipAddress>198.51.100.7</ipAddress><monitoring>", ("public_ip", "", "198.51.100.7")),
    ("<monitoring>", f"{GROUP}<monitoring>", ("SecurityGroupIds", ..., ["sg-1", "sg-2"])),
    ("<httpTokens>optional<", "<httpTokens>required<", ("Imds", "optional", "required")),
    (
        "<monitoring>",
        f"<iamInstanceProfile><arn>{PROFILE}</arn></iamInstanceProfile><monitoring>",
        ("IamInstanceProfileArn", None, PROFILE),
    ),
    (
        "<monitoring>",
        "<operator><managed>true</managed><principal>eks.amazonaws.com</principal></operator><monitoring>",
        ("OperatedBy", None, "eks.amazonaws.com"),
    ),
    ("<usageOperation>RunInstances<", "<usageOperation>RunInstances:0002<", ("usage_operation", ..., ...)),
)


class TestChanging:
    def test_a_stop_and_a_start_have_the_times_that_aws_gives_them(
        self, app: Flask, account: Account, fleet: SimulatedAws, one: Instance, before: int
    ) -> None:
        made = fleet.instance(AWS_ID, HOME, one.instance_id)
        made.stop()
        made._reason = "User initiated (2026-11-02 09:30:00 UTC)"
        discover(app, account)
        made.start()
        made.launch_time = datetime(2026, 11, 3, 7, 0)  # noqa: DTZ001 - moto's own is naive
        discover(app, account)
        stopped, started = history(app, before)
        assert told([stopped, started]) == [
            (ChangeKind.CHANGED, "state", "running", "stopped"),
            (ChangeKind.CHANGED, "state", "stopped", "running"),
        ]
        assert stopped.happened_at == datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
        assert started.happened_at == datetime(2026, 11, 3, 7, 0, tzinfo=UTC)
        assert stopped.instance_pk == started.instance_pk == one.id

    def test_what_a_column_cuts_off_changes_nothing_later(
        self, app: Flask, account: Account, one: Instance, before: int, rewrite: Rewrite
    ) -> None:
        long = "n" * 300
        rewrite(only(one, "<key>Name</key><value>home<", f"<key>Name</key><value>{long}<"))
        discover(app, account)
        (renamed,) = history(app, before)
        assert told([renamed]) == [(ChangeKind.CHANGED, "name", "home", long[:256])]
        rewrite(
            lambda instances: [
                xml.replace("<value>home<", f"<value>{long}<").replace("m5.large", "m5.xlarge")
                if id_of(xml) == one.instance_id
                else xml
                for xml in instances
            ]
        )
        discover(app, account)
        assert told(history(app, renamed.id)) == [(ChangeKind.CHANGED, "instance_type", "m5.large", "m5.xlarge")]

    def test_our_own_word_for_a_state_is_unknown_when_aws_uses_it(
        self, app: Flask, account: Account, one: Instance, before: int, rewrite: Rewrite
    ) -> None:
        rewrite(only(one, "<code>16</code><name>running<", "<code>16</code><name>missing<"))
        discover(app, account)
        assert told(history(app, before)) == [(ChangeKind.CHANGED, "state", "running", "unknown")]
        (row,) = rows(app, instance_id=one.instance_id)
        assert (row.state, row.missing_since) == ("unknown", None)

    def test_each_kind_is_one_row_of_the_instance_that_has_changed(
        self, app: Flask, account: Account, rewrite: Rewrite, before: int
    ) -> None:
        ids = [row.instance_id for row in rows(app, region=HOME)]
        assert len(ids) == len(EACH_KIND)
        kinds = dict(zip(ids, EACH_KIND, strict=True))

        def change(xml: str) -> str:
            """Of the instances elsewhere, something that is no history."""
            old, new, _ = kinds.get(id_of(xml), ("<state>disabled<", "<state>enabled<", None))
            assert old in xml
            return xml.replace(old, new)

        rewrite(lambda instances: [change(xml) for xml in instances])
        assert discover(app, account).summary["instances_changed"] == 19
        found = {change.instance_pk: change for change in history(app, before)}
        assert len(found) == len(history(app, before)) == len(EACH_KIND)
        for row in rows(app, region=HOME):
            field, old, new = kinds[row.instance_id][2]
            change_of_it = found[row.id]
            assert (change_of_it.kind, change_of_it.field) == (ChangeKind.CHANGED, field)
            assert old in (..., change_of_it.before)
            assert new in (..., change_of_it.after)
            assert change_of_it.happened_at is None
            assert tags_of(app, row) == row.instance_metadata["Tags"]
        assert {row.instance_metadata["Monitoring"]["State"] for row in rows(app, region=AWAY)} == {"enabled"}
        discover(app, account)
        assert len(history(app, before)) == len(EACH_KIND), "each is told once"

    def test_a_tag_name_without_a_value_is_found_as_any_other(
        self, app: Flask, account: Account, rewrite: Rewrite, one: Instance, before: int
    ) -> None:
        """It is no name, so that nothing is told of it when it comes and goes."""
        rewrite(only(one, "<key>Name</key>", "<key>Nome</key>"))
        discover(app, account)
        rewrite(only(one, "<key>Name</key><value>home</value>", "<key>Name</key><value/>"))
        discover(app, account)
        assert tags_of(app, one) == rows(app, id=one.id)[0].instance_metadata["Tags"] == {"Name": "", "note": NOTE}
        rewrite(only(one, "<item><key>Name</key><value>home</value></item>", ""))
        told_before = len(history(app, before))
        discover(app, account)
        assert tags_of(app, one) == rows(app, id=one.id)[0].instance_metadata["Tags"] == {"note": NOTE}
        assert len(history(app, before)) == told_before


class TestVanishingAndReturning:
    def test_both_are_told_and_an_end_is_told_as_one(
        self, app: Flask, account: Account, fleet: SimulatedAws, one: Instance, before: int
    ) -> None:
        ending = rows(app, region=AWAY)[0]
        fleet.instance(AWS_ID, AWAY, ending.instance_id)._state.name = "shutting-down"
        discover(app, account)
        fleet.forget_instance(AWS_ID, AWAY, ending.instance_id)
        hidden = fleet.forget_instance(AWS_ID, HOME, one.instance_id)
        discover(app, account)
        hidden.instance_type = "m5.xlarge"
        fleet.remember_instance(AWS_ID, HOME, hidden)
        discover(app, account)
        discover(app, account)
        changes = history(app, before)
        assert told([change for change in changes if change.instance_pk == one.id]) == [
            (ChangeKind.VANISHED, "state", "running", "missing"),
            (ChangeKind.RETURNED, "state", "missing", "running"),
            (ChangeKind.CHANGED, "instance_type", "m5.large", "m5.xlarge"),
        ]
        assert told([change for change in changes if change.instance_pk != one.id]) == [
            (ChangeKind.CHANGED, "state", "running", "shutting-down"),
            (ChangeKind.VANISHED, "state", "shutting-down", "terminated"),
        ]
        assert tags_of(app, one) == {"Name": "home", "note": NOTE}


class TestWhatIsNotInvented:
    def test_a_reading_of_the_same_writes_no_row_and_in_another_order_no_change(
        self, app: Flask, account: Account, rewrite: Rewrite, before: int
    ) -> None:
        """In another order of the instances, and of the lists within them."""
        with rows_written(app) as written:
            assert discover(app, account).summary["instances_seen"] == 19
        assert not written.keys() & {"instances", "instance_tags", "instance_changes", "instance_tallies"}
        assert written["region_scans"] >= 2, "what is written is counted"

        in_tags = re.compile("<tagSet>(<item>.*?</item>)(<item>.*?</item>)</tagSet>")
        rewrite(lambda instances: [in_tags.sub(r"<tagSet>\2\1</tagSet>", xml) for xml in reversed(instances)])
        with rows_written(app) as written:
            assert discover(app, account).summary["instances_changed"] == 0
        assert not written.keys() & {"instance_tags", "instance_changes", "instance_tallies"}
        assert history(app, before) == []

    def test_an_unread_region_tells_nothing(
        self, app: Flask, account: Account, fleet: SimulatedAws, one: Instance, before: int
    ) -> None:
        fleet.forget_instance(AWS_ID, HOME, one.instance_id)
        fault = fleet.faults.add("denied", action="DescribeInstances", region=HOME)
        discover(app, account)
        assert history(app, before) == []
        fault.times = 0
        discover(app, account)
        assert told(history(app, before)) == [(ChangeKind.VANISHED, "state", "running", "missing")]

    def test_a_damaged_instance_on_a_later_page_leaves_the_region_as_it_was(
        self,
        app: Flask,
        account: Account,
        rewrite: Rewrite,
        before: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        known, read_at = digest(app), scan(app, HOME).last_read_at
        last = rows(app, region=HOME)[-1]

        def damage(instances: list[str]) -> list[str]:
            """Everything is stopped, and the last one of these is not to be read."""
            stopped = [xml.replace("<name>running<", "<name>stopped<") for xml in instances]
            return [xml.replace("<code>16<", "<code>x<") if id_of(xml) == last.instance_id else xml for xml in stopped]

        monkeypatch.setattr("app.aws.ec2.PAGE_SIZE", 5)
        rewrite(lambda instances: damage(sorted(instances, key=id_of)))
        run = discover(app, account)
        assert run.summary["unread"] == {HOME: "malformed"}
        assert scan(app, HOME).result is RegionResult.MALFORMED
        assert (scan(app, HOME).last_read_at, scan(app, HOME).pages) == (read_at, 3)
        assert [row for row in digest(app) if row[0] in {row.instance_id for row in rows(app, region=HOME)}] == [
            row
            for row in known
            if row[1] == "running" and row[0] in {row.instance_id for row in rows(app, region=HOME)}
        ]
        assert {change.after for change in history(app, before)} == {"stopped"}
        assert len(history(app, before)) == 7, "the other region was read"


class TestBytesThatDifferWithoutContent:
    """AWS may write the same in other bytes."""

    @staticmethod
    def spaced(instances: list[str]) -> list[str]:
        return [xml.replace("<tagSet>", "<tagSet> ") for xml in instances]

    def test_the_hash_is_renewed_once_a_day(
        self, app: Flask, account: Account, rewrite: Rewrite, one: Instance, before: int
    ) -> None:
        rewrite(self.spaced)
        with rows_written(app) as first:
            discover(app, account)
        renewed = rows(app, id=one.id)[0]
        assert renewed.raw_hash != one.raw_hash
        assert (renewed.content_hash, renewed.updated_at) == (one.content_hash, one.updated_at)
        assert first["instances"] <= 19
        rewrite(list)
        with rows_written(app) as second:
            discover(app, account)
        assert "instances" not in second
        assert rows(app, id=one.id)[0].raw_hash == renewed.raw_hash

        with app.app_context():
            for found in db.session.scalars(sa.select(RegionScan)):
                if found.rehashed_at:
                    found.rehashed_at -= inventory.REHASH_EVERY
            db.session.commit()
        discover(app, account)
        assert rows(app, id=one.id)[0].raw_hash == one.raw_hash
        assert history(app, before) == []

    def test_another_version_of_the_reader_reads_everything_anew_and_tells_nothing(
        self, app: Flask, account: Account, before: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashes = {row.id: row.raw_hash for row in rows(app)}
        monkeypatch.setattr(instance_page, "READER_VERSION", instance_page.READER_VERSION + 1)
        run = discover(app, account)
        assert (run.summary["instances_seen"], run.summary["instances_changed"]) == (19, 0)
        assert all(row.raw_hash != hashes[row.id] for row in rows(app))
        assert history(app, before) == []
        with rows_written(app) as written:
            discover(app, account)
        assert "instances" not in written


class TestWhatSomebodyElseChangesMeanwhile:
    """An event tells of a later moment than the page: it stays, and the next reading decides."""

    @pytest.fixture
    def event_tells(self, monkeypatch: pytest.MonkeyPatch, one: Instance) -> Callable[[], None]:
        """One event of one instance between the last page and its storing."""
        store = discovery.store_region
        events = iter([True])

        def store_later(*args: Any, **options: Any) -> inventory.Changes:
            if args[1].region == HOME and next(events, False):
                change = {"state": "stopping", "raw_hash": "", "content_hash": ""}
                db.session.execute(sa.update(Instance).where(Instance.id == one.id).values(**change))
            return store(*args, **options)

        return lambda: monkeypatch.setattr(discovery, "store_region", store_later)

    def test_a_page_that_says_otherwise_does_not_undo_it(
        self,
        app: Flask,
        account: Account,
        rewrite: Rewrite,
        one: Instance,
        before: int,
        event_tells: Callable[[], None],
    ) -> None:
        event_tells()
        rewrite(only(one, "m5.large", "m5.xlarge"))
        assert discover(app, account).summary["instances_changed"] == 0
        assert rows(app, id=one.id)[0].state == "stopping"
        assert history(app, before) == []
        discover(app, account)
        assert {change.field for change in history(app, before)} == {"state", "instance_type"}
        assert rows(app, id=one.id)[0].state == "running"

    def test_a_hash_that_was_taken_away_stays_away(
        self,
        app: Flask,
        account: Account,
        rewrite: Rewrite,
        one: Instance,
        event_tells: Callable[[], None],
    ) -> None:
        event_tells()
        rewrite(TestBytesThatDifferWithoutContent.spaced)
        discover(app, account)
        assert (rows(app, id=one.id)[0].state, rows(app, id=one.id)[0].raw_hash) == ("stopping", "")
        discover(app, account)
        assert rows(app, id=one.id)[0].state == "running", "what AWS shows counts in the end"


class TestEveryDatabase:
    def test_it_tells_the_same(
        self, any_database: Flask, fleet: SimulatedAws, rewrite: Rewrite, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bulk, "COPY_FROM", 5)
        with any_database.app_context():
            owner = make_user("owner")
            db.session.commit()
            db.session.refresh(owner)
            db.session.expunge(owner)
        entered = connected(any_database, fleet, owner)
        run_jobs(any_database)
        assert len(history(any_database)) == 19
        first = history(any_database)[-1].id

        fleet.run_instances(AWS_ID, AWAY, 6)
        one, two, three = rows(any_database, region=HOME)[:3]
        hidden = fleet.forget_instance(AWS_ID, HOME, two.instance_id)
        fleet.instance(AWS_ID, HOME, three.instance_id).instance_type = "m5.xlarge"
        rewrite(only(one, "<tagSet>", "<tagSet><item><key>größe 🙂</key><value>=1+1\n\t\\N</value></item>"))
        discover(any_database, entered)
        with rows_written(any_database) as written:
            discover(any_database, entered)
        assert not written.keys() & {"instances", "instance_tags", "instance_changes"}
        fleet.remember_instance(AWS_ID, HOME, hidden)
        discover(any_database, entered)

        later = history(any_database, first)
        appeared = [change for change in later if change.kind is ChangeKind.APPEARED]
        assert len(appeared) == 6
        assert all(change.happened_at for change in appeared)
        rest = {(change.instance_pk, *told([change])[0][:2]) for change in later if change not in appeared}
        assert rest == {
            (one.id, ChangeKind.CHANGED, "Tags"),
            (two.id, ChangeKind.VANISHED, "state"),
            (two.id, ChangeKind.RETURNED, "state"),
            (three.id, ChangeKind.CHANGED, "instance_type"),
        }
        (tagged,) = (change for change in later if change.field == "Tags")
        assert (tagged.before, tagged.after) == ({}, {"größe 🙂": "=1+1\n\t\\N"})
        assert tags_of(any_database, one) == {"Name": "home", "note": NOTE, "größe 🙂": "=1+1\n\t\\N"}
        assert len(rows(any_database)) == 25
