"""Plays the owner of a simulated AWS account: makes the role or keys that Spotkeeper asks for."""

from typing import Any

from flask import Flask

from app.aws import cloudformation
from app.aws.formats import DEFAULT_ROLE_NAME
from app.database import db
from app.models import Account, User
from app.models.types import ConnectionMethod
from app.services.accounts import connect
from demo.aws.accounts import Keys
from demo.aws.cloud import SimulatedAws
from tests.fakes.aws import APP_ACCOUNT

AWS_ID = "012345678901"
"""With a leading zero, which a number would lose."""


def enter_by_role(app: Flask, owner: User, account_id: str = AWS_ID, name: str = "Production") -> Account:
    """What the connect page does with the role method."""
    with app.app_context():
        account = connect.connect_account(
            db.session.get_one(User, owner.id),
            account_id=account_id,
            account_name=name,
            connection_method=ConnectionMethod.IAM_ROLE,
        )
        db.session.commit()
        db.session.refresh(account)
        db.session.expunge(account)
    return account


def make_role(aws: SimulatedAws, account: Account, *, external_id: str | None = None, **changes: Any) -> str:
    """The role as our template makes it; `external_id=""` leaves the condition out. Returns the ARN."""
    trust = cloudformation.trust_policy(APP_ACCOUNT, None, external_id or account.external_id)
    if external_id == "":
        del trust["Statement"][0]["Condition"]
    permissions = changes.pop("permissions", cloudformation.permission_policy())
    return aws.create_role(account.account_id, DEFAULT_ROLE_NAME, trust, permissions)


def name_role(app: Flask, account: Account, arn: str) -> None:
    """What pasting the ARN does."""
    with app.app_context():
        row = db.session.get_one(Account, account.id)
        connect.name_role(row, arn, actor=db.session.get_one(User, row.user_id))
        db.session.commit()


def enter_by_keys(app: Flask, owner: User, keys: Keys, account_id: str = AWS_ID) -> Account:
    """What the connect page does with the keys method."""
    with app.app_context():
        account = connect.connect_account(
            db.session.get_one(User, owner.id),
            account_id=account_id,
            account_name="By keys",
            connection_method=ConnectionMethod.ACCESS_KEYS,
            access_key_id=keys.access_key_id,
            secret_access_key=keys.secret_access_key,
        )
        db.session.commit()
        db.session.refresh(account)
        db.session.expunge(account)
    return account


def connected(app: Flask, aws: SimulatedAws, owner: User, account_id: str = AWS_ID) -> Account:
    """An account with its role made and named; its verification is queued."""
    account = enter_by_role(app, owner, account_id)
    name_role(app, account, make_role(aws, account))
    return account
