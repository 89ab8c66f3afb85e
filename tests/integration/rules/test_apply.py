"""Instances follow a rule that is made, changed, paused, removed, or that has expired."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import database_now, db
from app.models import AuthorizationRule, Instance, InstanceTag, User
from app.models.types import AccountStatus, AuthSource, AuthStatus, Role, RuleState, RunKind
from app.services import runs
from app.services.instances.authorize import find_last_change, let_rules_decide, set_auth_status, undo_change
from app.services.instances.tallies import find_wrong_tallies, refresh_tallies
from tests.factories import make_account, make_instance, make_user
from tests.integration.rules.rules import ask, change_rule, make_rule, standings, told
from tests.jobs import run_jobs

M5 = ask(type="m5.*")


@pytest.fixture
def admin_id(any_database: Flask) -> int:
    """Two accounts with an instance of each kind in them: baseline, decided by hand, and nobody's."""
    with any_database.app_context():
        admin = make_user("admin", role=Role.ADMIN)
        owner = make_user("owner")
        for number in (1, 2):
            account = make_account(owner, account_id=f"{number}" * 12, status=AccountStatus.ACTIVE)
            make_instance(account, name=f"baseline {number}")
            none = {"auth_status": AuthStatus.UNAUTHORIZED}
            make_instance(account, name=f"denied {number}", **none, auth_source=AuthSource.PERSON)
            make_instance(account, name=f"new {number}", **none)
            other = make_instance(account, name=f"other {number}", **none, instance_type="c5.large")
            db.session.add(InstanceTag(instance_pk=other.id, key="team", value="ci"))
            refresh_tallies(account.id)
        db.session.commit()
        return admin.id


def apply(app: Flask) -> None:
    """Do the job that applies rules."""
    with app.app_context():
        runs.enqueue(RunKind.APPLY_RULES)
        db.session.commit()
    run_jobs(app)


def authorized() -> set[str]:
    return {name for name, standing in standings().items() if standing[1] == "rule"}


def wrong_counts() -> list[str]:
    accounts = db.session.scalars(sa.select(Instance.account_id).distinct()).all()
    return [line for account_pk in accounts for line in find_wrong_tallies(account_pk)]


class TestARule:
    def test_it_allows_only_what_nobody_has_decided(self, any_database: Flask, admin_id: int) -> None:
        with any_database.app_context():
            rule_id = make_rule("m5", M5).id
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            assert authorized() == {"new 1", "new 2"}
            assert standings()["denied 1"][:2] == ("unauthorized", "person")
            assert standings()["baseline 1"][:2] == ("authorized", "baseline")
            assert told("new 1") == [("unauthorized", "authorized", "Allowed by rule “m5” (owner: build team)")]
            assert told("other 1") == []
            rule = db.session.get_one(AuthorizationRule, rule_id)
            assert rule.applied_revision == rule.revision
            assert wrong_counts() == []

    @pytest.mark.parametrize(
        ("becomes", "reason"),
        [
            ({"state": RuleState.PAUSED}, "Rule “m5” was paused"),
            ({"state": RuleState.REMOVED}, "Rule “m5” was removed"),
            ({"conditions": [{"field": "type", "values": ["x1.*"]}]}, "Rule “m5” no longer covers it"),
            ({"expires_on": date(2020, 2, 29)}, "Rule “m5” expired on 2020-02-29"),
        ],
        ids=["paused", "removed", "changed", "expired"],
    )
    def test_what_it_allows_no_more_falls_back_and_says_why(
        self, any_database: Flask, admin_id: int, becomes: dict[str, object], reason: str
    ) -> None:
        with any_database.app_context():
            rule_id = make_rule("m5", M5).id
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            change_rule(rule_id, **becomes)
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            assert standings()["new 1"] == ("unauthorized", "none", reason)
            assert told("new 1")[-1] == ("authorized", "unauthorized", reason)
            assert wrong_counts() == []

    def test_another_one_takes_over_without_a_gap(self, any_database: Flask, admin_id: int) -> None:
        with any_database.app_context():
            rule_id = make_rule("m5", M5).id
            make_rule("ours", ask(account="1" * 12), expires_on=database_now().date() + timedelta(days=30))
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            assert standings()["new 1"][2].startswith("Allowed by rule “m5”")
            assert authorized() == {"new 1", "new 2", "other 1"}
            change_rule(rule_id, state=RuleState.PAUSED)
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            assert authorized() == {"new 1", "other 1"}
            assert [each[:2] for each in told("new 1")] == [
                ("unauthorized", "authorized"),
                ("authorized", "authorized"),
            ]

    def test_applied_twice_it_changes_nothing_more(self, any_database: Flask, admin_id: int) -> None:
        with any_database.app_context():
            rule_id = make_rule("m5", M5).id
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            before = standings()
            change_rule(rule_id)
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            assert standings() == before
            assert len(told("new 1")) == 1


class TestADecisionByHand:
    def decide(self, admin_id: int, name: str, status: AuthStatus) -> int:
        target = db.session.scalars(sa.select(Instance).where(Instance.name == name)).one().id
        set_auth_status(db.session.get_one(User, admin_id), [target], status, reason="we know it")
        db.session.commit()
        return target

    def test_it_outlives_the_rule(self, any_database: Flask, admin_id: int) -> None:
        with any_database.app_context():
            rule_id = make_rule("m5", M5).id
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            self.decide(admin_id, "new 1", AuthStatus.AUTHORIZED)
            change_rule(rule_id, state=RuleState.REMOVED)
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            assert standings()["new 1"] == ("authorized", "person", "we know it")
            assert told("new 1")[-1] == ("authorized", "authorized", "By admin: we know it")
            assert standings()["new 2"][0] == "unauthorized"

    def test_undone_it_gives_the_instance_back_to_the_rules(self, any_database: Flask, admin_id: int) -> None:
        with any_database.app_context():
            make_rule("m5", M5)
            db.session.commit()
        apply(any_database)
        with any_database.app_context():
            self.decide(admin_id, "new 1", AuthStatus.UNAUTHORIZED)
            admin = db.session.get_one(User, admin_id)
            changed_at = find_last_change(admin)
            assert changed_at is not None
            assert undo_change(admin, changed_at) == 1
            db.session.commit()
            assert standings()["new 1"][:2] == ("authorized", "rule")
            assert wrong_counts() == []

    def test_undone_it_gives_the_baseline_back(self, any_database: Flask, admin_id: int) -> None:
        with any_database.app_context():
            self.decide(admin_id, "baseline 1", AuthStatus.UNAUTHORIZED)
            admin = db.session.get_one(User, admin_id)
            changed_at = find_last_change(admin)
            assert changed_at is not None
            undo_change(admin, changed_at)
            db.session.commit()
            assert standings()["baseline 1"][:2] == ("authorized", "baseline")

    def test_it_can_be_left_to_the_rules(self, any_database: Flask, admin_id: int) -> None:
        with any_database.app_context():
            make_rule("m5", ask(type="m5.*", account="1" * 12))
            db.session.commit()
            names = ("denied 1", "baseline 1", "baseline 2", "other 1")
            ids = db.session.scalars(sa.select(Instance.id).where(Instance.name.in_(names))).all()
            assert let_rules_decide(db.session.get_one(User, admin_id), ids) == 2
            db.session.commit()
            assert standings()["denied 1"][:2] == ("authorized", "rule")
            assert standings()["baseline 1"][:2] == ("authorized", "rule")
            assert standings()["baseline 2"] == ("unauthorized", "none", "No rule allows it")
            assert standings()["other 1"] == ("unauthorized", "none", ""), "nobody had decided that one"
            assert told("denied 1")[-1][2].startswith("Left to the rules by admin: Allowed by rule “m5”")
            assert wrong_counts() == []
