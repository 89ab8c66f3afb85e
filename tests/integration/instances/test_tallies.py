"""The counts kept beside the instances: equal to the rows after everything that changes them, on every database."""

from collections import Counter

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Account, Instance, InstanceTally, InstanceTypeTally, User
from app.models.types import AuthStatus, Role, RunKind
from app.services import runs
from app.services.accounts.connect import disconnect_account
from app.services.instances.authorize import set_auth_status
from app.services.instances.tallies import tally_instances
from demo.aws.cloud import SimulatedAws
from tests.factories import make_account, make_instance, make_user
from tests.integration.customers import AWS_ID, connected
from tests.jobs import run_jobs


def kept() -> Counter[tuple[object, ...]]:
    rows, types = db.session.scalars(sa.select(InstanceTally)), db.session.scalars(sa.select(InstanceTypeTally))
    return Counter(
        {(r.account_id, r.region, r.state, r.lifecycle, r.auth_status): r.count for r in rows}
        | {(r.account_id, r.region, r.state, r.instance_type): r.count for r in types}
    )


def counted() -> Counter[tuple[object, ...]]:
    rows = db.session.scalars(sa.select(Instance).execution_options(populate_existing=True)).all()
    return Counter((r.account_id, r.region, r.state, r.lifecycle, r.auth_status) for r in rows) + Counter(
        (r.account_id, r.region, r.state, r.instance_type) for r in rows
    )


@pytest.fixture
def discovered(any_database: Flask, aws: SimulatedAws) -> Account:
    with any_database.app_context():
        owner = make_user("owner")
        make_user("admin", role=Role.ADMIN)
        db.session.commit()
        db.session.refresh(owner)
        db.session.expunge(owner)
    aws.run_instances(AWS_ID, "us-east-1", 5)
    aws.run_instances(AWS_ID, "eu-west-1", 3, lifecycle="spot")
    account = connected(any_database, aws, owner)
    run_jobs(any_database)
    return account


class TestTallies:
    def test_they_follow_discoveries_authorizations_and_the_end_of_an_account(
        self, any_database: Flask, aws: SimulatedAws, discovered: Account
    ) -> None:
        with any_database.app_context():
            assert sum(counted().values()) == 2 * 8
            assert kept() == counted()

        aws.run_instances(AWS_ID, "eu-west-1", 2)
        with any_database.app_context():
            first = db.session.scalars(sa.select(Instance).where(Instance.region == "us-east-1")).first()
            assert first is not None
            aws.forget_instance(AWS_ID, "us-east-1", first.instance_id)
            runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, discovered.id))
            db.session.commit()
        run_jobs(any_database)

        with any_database.app_context():
            assert sum(counted().values()) == 2 * 10
            assert kept() == counted()
            admin = db.session.scalars(sa.select(User).where(User.username == "admin")).one()
            new = db.session.scalars(
                sa.select(Instance.id).where(Instance.auth_status == AuthStatus.UNAUTHORIZED)
            ).all()
            set_auth_status(admin, new[:1], AuthStatus.AUTHORIZED, reason="planned")
            db.session.commit()
            assert kept() == counted()
            assert tally_instances(admin).count(auth_status="unauthorized") == 1

            account = db.session.get_one(Account, discovered.id)
            disconnect_account(account, confirmation=account.account_name, actor=admin)
            db.session.commit()
            assert kept() == Counter()

    def test_they_are_of_one_s_own(self, any_database: Flask) -> None:
        with any_database.app_context():
            one, two = make_user("one"), make_user("two")
            make_instance(make_account(one))
            for _ in range(2):
                make_instance(make_account(two))
            assert tally_instances(one).count() == 1
            assert tally_instances(two).count() == 2
