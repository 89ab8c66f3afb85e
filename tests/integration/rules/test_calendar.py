"""The calendar ends rules, warns two weeks before, and sees that every change comes to be applied."""

from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.database import database_now, db
from app.models import AuthorizationRule, AuthorizationRuleEdit, Run, SystemLog, User
from app.models.types import AccountStatus, AuthStatus, Role, RuleState, RunKind
from app.services.rules.calendar import keep_calendar
from app.services.rules.listing import list_notices
from tests.factories import make_account, make_instance, make_user
from tests.integration.rules.rules import ask, change_rule, make_rule, standings
from tests.integration.rules.test_apply import apply
from tests.jobs import run_jobs


@pytest.fixture
def today(any_database: Flask) -> date:
    """By the database's clock; there is one instance that a rule on m5 would allow."""
    with any_database.app_context():
        make_user("admin", role=Role.ADMIN)
        account = make_account(make_user("owner"), status=AccountStatus.ACTIVE)
        make_instance(account, name="runner", auth_status=AuthStatus.UNAUTHORIZED)
        db.session.commit()
        return database_now().date()


def logged() -> list[str]:
    query = sa.select(SystemLog.message).where(SystemLog.component == "authorization").order_by(SystemLog.id)
    return list(db.session.scalars(query))


def notices(app: Flask) -> tuple[list[tuple[str, int | None, int]], list[tuple[str, int | None, int]]]:
    """(name, days left, instances) of the rules that end, and of those that have ended."""
    with app.app_context():
        found = list_notices(db.session.scalars(sa.select(User).where(User.username == "admin")).one())
        return tuple(
            [(row.rule.name, row.days_left, row.allows.number) for row in rows]
            for rows in (found.expiring, found.expired)
        )  # type: ignore[return-value]  # two of them


def tick(app: Flask) -> int:
    with app.app_context():
        return keep_calendar()


class TestTheCalendar:
    def test_it_ends_a_rule_after_its_last_day_and_the_instances_fall_back(
        self, any_database: Flask, today: date
    ) -> None:
        with any_database.app_context():
            rule_id = make_rule("CI", ask(type="m5.*"), expires_on=today).id
            db.session.commit()
        apply(any_database)
        assert tick(any_database) == 0, "today is its last day"
        with any_database.app_context():
            assert standings()["runner"][1] == "rule"
            db.session.get_one(AuthorizationRule, rule_id).expires_on = today - timedelta(days=1)
            db.session.commit()
        assert (tick(any_database), tick(any_database)) == (1, 0)
        run_jobs(any_database)
        with any_database.app_context():
            day = (today - timedelta(days=1)).isoformat()
            assert standings()["runner"] == ("unauthorized", "none", f"Rule “CI” expired on {day}")
            rule = db.session.get_one(AuthorizationRule, rule_id)
            assert (rule.state, rule.applied_revision) == (RuleState.EXPIRED, rule.revision)
            assert [each.action.value for each in db.session.scalars(sa.select(AuthorizationRuleEdit))] == ["expired"]
            assert f"rule “CI” expired on {day}" in logged()
            assert "rule “CI” applied: 0 authorized, 1 unauthorized" in logged()
        assert notices(any_database) == ([], [("CI", -1, 1)])

    def test_it_warns_once_of_each_last_day(self, any_database: Flask, today: date) -> None:
        with any_database.app_context():
            rule_id = make_rule("soon", ask(type="m5.*"), expires_on=today + timedelta(days=14), applied_revision=1).id
            make_rule("later", ask(type="m5.*"), expires_on=today + timedelta(days=15), applied_revision=1)
            make_rule("ever", ask(type="m5.*"), applied_revision=1)
            db.session.commit()
        tick(any_database)
        tick(any_database)
        first = f"rule “soon” ends in 14 days, on {(today + timedelta(days=14)).isoformat()}"
        with any_database.app_context():
            assert logged() == [first]
            assert db.session.scalars(sa.select(SystemLog)).one().details["owner"] == "build team"
            db.session.get_one(AuthorizationRule, rule_id).expires_on = today + timedelta(days=1)
            db.session.commit()
        tick(any_database)
        with any_database.app_context():
            assert logged() == [first, f"rule “soon” ends tomorrow, on {(today + timedelta(days=1)).isoformat()}"]
        assert notices(any_database) == ([("soon", 1, 0)], [])

    def test_it_queues_what_a_change_left_to_be_applied(self, any_database: Flask, today: date) -> None:
        with any_database.app_context():
            rule_id = make_rule("CI", ask(type="m5.*")).id
            db.session.commit()
        tick(any_database)
        run_jobs(any_database)
        tick(any_database)
        with any_database.app_context():
            assert standings()["runner"][1] == "rule"
            of_kind = sa.select(sa.func.count()).where(Run.kind == RunKind.APPLY_RULES)
            assert db.session.scalar(of_kind) == 1
            change_rule(rule_id, state=RuleState.PAUSED)
            db.session.commit()
        tick(any_database)
        run_jobs(any_database)
        with any_database.app_context():
            assert standings()["runner"][:2] == ("unauthorized", "none")
