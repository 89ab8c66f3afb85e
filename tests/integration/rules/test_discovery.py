"""What a discovery brings is decided by the rules, in its own transaction."""

from datetime import date
from typing import Any

import pytest
from flask import Flask

from app.database import db
from app.models import Account, Instance, User
from app.models.types import AuthSource, AuthStatus
from app.services.instances.authorize import set_auth_status
from app.services.instances.tallies import find_wrong_tallies
from demo.aws.cloud import SimulatedAws
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import HOME, discover, rows
from tests.integration.rules.rules import ask, make_rule, standings, told
from tests.jobs import reload, run_jobs

ALLOWED = "Allowed by rule “CI runners” (owner: build team) until 2099-12-31"


@pytest.fixture
def account(app: Flask, aws: SimulatedAws, client1: User) -> Account:
    """Discovered once, with one instance that is the baseline."""
    aws.run_instances(AWS_ID, HOME, 1, tags={"Name": "old"})
    entered = connected(app, aws, client1)
    run_jobs(app)
    with app.app_context():
        make_rule("CI runners", ask(tag="team=ci", account=AWS_ID), expires_on=date(2099, 12, 31))
        db.session.commit()
    return reload(app, entered)


class TestADiscovery:
    def test_it_authorizes_what_a_rule_allows_and_says_why(
        self, app: Flask, aws: SimulatedAws, account: Account
    ) -> None:
        aws.run_instances(AWS_ID, HOME, 1, tags={"Name": "runner", "team": "ci"})
        aws.run_instances(AWS_ID, HOME, 1, tags={"Name": "stranger", "team": "x"})
        discover(app, account)
        with app.app_context():
            found = standings()
            assert found["old"][:2] == ("authorized", "baseline")
            assert found["runner"] == ("authorized", "rule", ALLOWED)
            assert found["stranger"][:2] == ("unauthorized", "none")
            assert told("runner") == [("unauthorized", "authorized", ALLOWED)]
            assert told("stranger") == []
            assert find_wrong_tallies(account.id) == []

    def test_it_decides_again_when_the_tags_have_changed(self, app: Flask, aws: SimulatedAws, account: Account) -> None:
        aws.run_instances(AWS_ID, HOME, 1, tags={"Name": "runner", "team": "ci"})
        discover(app, account)
        target = rows(app, name="runner")[0].instance_id
        aws.instance(AWS_ID, HOME, target).add_tags({"team": "web"})
        discover(app, account)
        with app.app_context():
            assert standings()["runner"] == ("unauthorized", "none", "Rule “CI runners” no longer covers it")
            assert [each[:2] for each in told("runner")] == [
                ("unauthorized", "authorized"),
                ("authorized", "unauthorized"),
            ]
            assert find_wrong_tallies(account.id) == []

    def test_it_leaves_what_a_person_decided(
        self, app: Flask, aws: SimulatedAws, account: Account, admin: User
    ) -> None:
        aws.run_instances(AWS_ID, HOME, 1, tags={"Name": "runner"})
        discover(app, account)
        target = rows(app, name="runner")[0]
        with app.app_context():
            set_auth_status(db.session.get_one(User, admin.id), [target.id], AuthStatus.UNAUTHORIZED, reason="no")
            db.session.commit()
        aws.instance(AWS_ID, HOME, target.instance_id).add_tags({"team": "ci"})
        discover(app, account)
        with app.app_context():
            row = db.session.get_one(Instance, target.id)
            assert (row.auth_status, row.auth_source) == (AuthStatus.UNAUTHORIZED, AuthSource.PERSON)

    def test_where_nothing_has_changed_it_does_not_ask_for_rules(
        self, app: Flask, account: Account, count_queries: Any
    ) -> None:
        with count_queries() as statements:
            discover(app, account)
        assert [text for text in statements if "authorization_rules" in text] == []
