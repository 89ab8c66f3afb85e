"""`flask rules`: what there is, and whether the instances are as the rules say."""

from datetime import date

import sqlalchemy as sa
from flask import Flask

from app.database import db
from app.models import Instance
from app.models.types import AccountStatus, AuthSource, AuthStatus
from app.services.instances.tallies import find_wrong_tallies, refresh_tallies
from tests.factories import make_account, make_instance, make_user
from tests.integration.rules.rules import ask, make_rule, standings
from tests.integration.rules.test_apply import apply


def seed(app: Flask) -> int:
    with app.app_context():
        account = make_account(make_user("owner"), account_id="1" * 12, status=AccountStatus.ACTIVE)
        for name, kind in (("a", "m5.large"), ("b", "m5.large"), ("c", "c5.large")):
            make_instance(account, name=name, instance_type=kind, auth_status=AuthStatus.UNAUTHORIZED)
        make_rule("M5", ask(type="m5.*"), expires_on=date(2099, 12, 31))
        db.session.commit()
        account_pk = account.id
    apply(app)
    return account_pk


class TestList:
    def test_it_says_what_each_rule_covers_and_allows(self, app: Flask) -> None:
        seed(app)
        result = app.test_cli_runner().invoke(args=["rules", "list"])
        assert result.output.splitlines() == ["M5: active, 2099-12-31, owner build team, allows 2", "  type m5.*"]

    def test_it_says_that_there_is_none(self, app: Flask) -> None:
        assert app.test_cli_runner().invoke(args=["rules", "list"]).output == "There are no rules.\n"


class TestCheck:
    def test_it_finds_what_differs_and_puts_it_right_when_told(self, app: Flask) -> None:
        account_pk = seed(app)
        runner = app.test_cli_runner()
        looked = runner.invoke(args=["rules", "check", "--batch-size", "1"])
        assert "1 accounts, 3 instances that rules decide: all as the rules say." in looked.output
        with app.app_context():
            lost = {"auth_status": AuthStatus.UNAUTHORIZED, "auth_source": AuthSource.NONE, "auth_rule_id": None}
            db.session.execute(sa.update(Instance).where(Instance.name == "a").values(lost))
            invented = {"auth_status": AuthStatus.AUTHORIZED, "auth_source": AuthSource.RULE, "auth_rule_id": 7}
            db.session.execute(sa.update(Instance).where(Instance.name == "c").values(invented))
            refresh_tallies(account_pk)
            db.session.commit()
            before = standings()
        looked = runner.invoke(args=["rules", "check"])
        assert looked.exit_code == 1
        assert "111111111111: 1 to be authorized, 1 no longer, 0 by another rule" in looked.output
        with app.app_context():
            assert standings() == before
        assert runner.invoke(args=["rules", "check", "--apply"]).exit_code == 1
        with app.app_context():
            assert {name: each[:2] for name, each in standings().items()} == {
                "a": ("authorized", "rule"),
                "b": ("authorized", "rule"),
                "c": ("unauthorized", "none"),
            }
            assert find_wrong_tallies(account_pk) == []
        assert runner.invoke(args=["rules", "check"]).exit_code == 0
