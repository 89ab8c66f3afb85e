"""The installation knows who it is in AWS, and somebody owns accounts; AWS is simulated, jobs are really done."""

import pytest
from flask import Flask

from app.aws.identity import CallerIdentity
from app.database import db
from app.models import User
from app.services.identity import record_identity
from tests.client import PageClient
from tests.conftest import SignIn
from tests.fakes.aws import APP_ACCOUNT


@pytest.fixture(autouse=True)
def identity(app: Flask) -> None:
    """The installation knows who it is in AWS, as after a worker's first minute."""
    with app.app_context():
        record_identity(CallerIdentity(APP_ACCOUNT, f"arn:aws:iam::{APP_ACCOUNT}:user/spotkeeper", "aws", "AIDAX"))
        db.session.commit()


@pytest.fixture
def owner(client1: User, sign_in: SignIn) -> PageClient:
    return sign_in(client1)
