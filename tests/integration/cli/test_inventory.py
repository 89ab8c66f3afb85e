"""`flask inventory doctor`: finds each thing kept beside the instances that is wrong, and mends it."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.errors import LeaseLostError
from app.models import Account, Instance, InstanceTag, InstanceTally, InstanceTypeTally, RegionScan, User
from app.models.types import RunState
from demo.aws.cloud import SimulatedAws
from tests.factories import make_user
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import AWAY, HOME, discover
from tests.jobs import reload, run_jobs


def doctor(app: Flask, *words: str) -> tuple[int, list[str]]:
    result = app.test_cli_runner().invoke(args=["inventory", "doctor", *words])
    return result.exit_code, result.output.splitlines()


HEALTHY = "1 accounts, 19 instances: all as the instances say."

Damage = Callable[[int], object]


def drop_a_tally(account_pk: int) -> None:
    db.session.execute(sa.delete(InstanceTally).where(InstanceTally.region == AWAY))


def count_types_twice(account_pk: int) -> None:
    db.session.execute(sa.update(InstanceTypeTally).values(count=InstanceTypeTally.count * 2))


def miscount_the_account(account_pk: int) -> None:
    db.session.execute(sa.update(Account).values(instance_count=20))


def miscount_a_region(account_pk: int) -> None:
    db.session.execute(sa.update(RegionScan).where(RegionScan.region == HOME).values(instance_count=11))


def lose_the_tags_of_one(account_pk: int) -> None:
    first = db.session.scalar(sa.select(sa.func.min(InstanceTag.instance_pk)))
    db.session.execute(sa.delete(InstanceTag).where(InstanceTag.instance_pk == first))


def change_a_value(account_pk: int) -> None:
    first = db.session.scalar(sa.select(sa.func.min(InstanceTag.instance_pk)))
    changed = (InstanceTag.instance_pk == first, InstanceTag.key == "note")
    db.session.execute(sa.update(InstanceTag).where(*changed).values(value="another"))


def invent_a_tag(account_pk: int) -> None:
    first = db.session.scalar(sa.select(sa.func.min(Instance.id)))
    db.session.add(InstanceTag(instance_pk=first, key="invented", value="x"))


DAMAGES: list[tuple[Damage, str]] = [
    (drop_a_tally, f"instance_tallies: 0 instead of 7 for {AWAY}, running, spot, authorized"),
    (count_types_twice, f"instance_type_tallies: 14 instead of 7 for {AWAY}, running, m5.large"),
    (miscount_the_account, "accounts.instance_count: 20 instead of 19"),
    (miscount_a_region, f"region_scans.instance_count: 11 instead of 12 in {HOME}"),
    (lose_the_tags_of_one, "lacks 'Name', 'note'"),
    (change_a_value, "has another value of 'note'"),
    (invent_a_tag, "has too many: 'invented'"),
]


class TestASoundInventory:
    def test_it_is_proved_on_every_database(self, any_database: Flask, fleet: SimulatedAws) -> None:
        with any_database.app_context():
            owner = make_user("owner")
            db.session.commit()
            db.session.refresh(owner)
            db.session.expunge(owner)
        connected(any_database, fleet, owner)
        run_jobs(any_database)
        assert doctor(any_database, "--batch-size", "5") == (0, [HEALTHY])
        with any_database.app_context():
            lose_the_tags_of_one(0)
            drop_a_tally(0)
            db.session.commit()
        assert doctor(any_database, "--mend")[0] == 1
        assert doctor(any_database) == (0, [HEALTHY])

    def test_what_has_vanished_is_no_fault(self, app: Flask, account: Account, fleet: SimulatedAws) -> None:
        missing, ending = fleet.instances(AWS_ID, HOME)[:2]
        fleet.instance(AWS_ID, HOME, ending.id)._state.name = "shutting-down"
        discover(app, account)
        for gone in (missing, ending):
            fleet.forget_instance(AWS_ID, HOME, gone.id)
        discover(app, account)
        assert doctor(app) == (0, [HEALTHY])

    def test_nor_are_tags_longer_than_can_be_searched(self, app: Flask, aws: SimulatedAws, client1: User) -> None:
        aws.run_instances(AWS_ID, HOME, 1, tags={"long": "x" * 400, "empty": "", "spaced ": "🙂"})
        connected(app, aws, client1)
        run_jobs(app)
        assert doctor(app)[0] == 0


@pytest.mark.parametrize(("damage", "line"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_each_difference_is_told_and_mended(app: Flask, account: Account, damage: Damage, line: str) -> None:
    with app.app_context():
        damage(account.id)
        db.session.commit()
    code, told = doctor(app)
    assert code == 1
    assert any(line in words and words.startswith(AWS_ID) for words in told), told
    assert doctor(app)[1] == told, "looking changes nothing"
    code, mended = doctor(app, "--mend")
    assert (code, mended[-1].endswith("mended.")) == (1, True)
    assert doctor(app) == (0, [HEALTHY])


def test_the_counts_hold_at_every_moment_of_a_discovery(
    app: Flask, account: Account, aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    def canceled(*_: object, **__: object) -> None:
        raise LeaseLostError("canceled")

    monkeypatch.setattr("app.tasks.discovery.complete_discovery", canceled)
    aws.run_instances(AWS_ID, HOME, 2)
    assert discover(app, account).state is RunState.RUNNING, "it stored its regions, and never came to its end"
    assert reload(app, account).instance_count == 21
    assert doctor(app)[0] == 0
