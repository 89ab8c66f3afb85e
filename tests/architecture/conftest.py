"""What the tests of every route share: the objects that addresses name, and the routes themselves."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.aws.identity import CallerIdentity
from app.database import db
from app.models import Account, User
from app.models.types import RunKind
from app.services import runs
from app.services.accounts.account_list import read_list
from app.services.accounts.many import connect_many
from app.services.identity import record_identity
from app.services.saved_views import save_view
from tests.client import PageClient
from tests.conftest import SignIn, browser
from tests.factories import make_instance
from tests.integration.rules.rules import ask, make_rule

#: No row has it: ids begin with the milliseconds since 2026.
NOBODYS_ID = 4242


def routes(app: Flask) -> dict[str, Rule]:
    """`GET users.index` -> its rule, one line for each method that does something of its own."""
    return {
        f"{method} {rule.endpoint}": rule
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    }


class World:
    """client1's objects, and a browser for each viewer."""

    def __init__(self, app: Flask, people: dict[str, User], account: Account, sign_in: SignIn) -> None:
        self.app, self.people, self.sign_in = app, people, sign_in
        with app.app_context():
            instance = make_instance(account)
            rule = make_rule("CI runners", ask(account=account.account_id))
            db.session.commit()
            instance_id, rule_id = instance.id, rule.id
            run_id = runs.enqueue(RunKind.DISCOVER_ACCOUNT, account=db.session.get_one(Account, account.id)).id
            db.session.commit()
        from app.services.sessions import start_session

        with app.app_context():
            session, _ = start_session(people["client1"], lifetime_seconds=3600)
            db.session.commit()
            session_id = session.id
        with app.app_context():
            view_id = save_view(people["client1"], "Mine", "state=running").id
            db.session.commit()
        with app.app_context():
            record_identity(CallerIdentity("555500001111", "arn:aws:iam::555500001111:user/us", "aws", "AIDAX"))
            good, bad = read_list("333333333333,Third")
            batch_id = connect_many(people["client1"], good, bad).id
            db.session.commit()
        self.objects: dict[str, Any] = {
            "batch_id": batch_id,
            "partition": "aws",
            "account_pk": account.id,
            "instance_pk": instance_id,
            "session_id": session_id,
            "view_id": view_id,
            "user_id": people["client3"].id,
            "run_id": run_id,
            "rule_id": rule_id,
            "deed": "pause",
            "filename": "img/mark.svg",
        }

    def browser(self, viewer: str) -> PageClient:
        return browser(self.app) if viewer == "anonymous" else self.sign_in(self.people[viewer])

    def address(self, rule: Rule, **instead: Any) -> str:
        unknown = rule.arguments - self.objects.keys()
        assert not unknown, f"{rule.rule}: tell tests/architecture/conftest.py what {unknown} may be"
        values = {name: instead.get(name, self.objects[name]) for name in rule.arguments}
        with self.app.test_request_context():
            adapter = self.app.url_map.bind("localhost")
            return adapter.build(rule.endpoint, values, force_external=False)


@pytest.fixture
def world(
    app: Flask,
    client1: User,
    client2: User,
    client3: User,
    admin: User,
    superadmin: User,
    account1: Account,
    account2: Account,
    sign_in: SignIn,
) -> World:
    people = {"client1": client1, "client2": client2, "client3": client3, "admin": admin, "superadmin": superadmin}
    return World(app, people, account1, sign_in)
