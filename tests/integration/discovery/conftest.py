"""A small fleet in two regions, and an account that has discovered it."""

import pytest
from flask import Flask

from app.models import Account, User
from demo.aws.cloud import SimulatedAws
from tests.integration.customers import AWS_ID, connected
from tests.integration.discovery.inventory import AWAY, HOME
from tests.jobs import reload, run_jobs


@pytest.fixture
def fleet(aws: SimulatedAws) -> SimulatedAws:
    """Twelve instances at home, seven away."""
    aws.run_instances(AWS_ID, HOME, 12, tags={"Name": "home", "note": 'a "quote" <b>, =1+1 🙂'})
    aws.run_instances(AWS_ID, AWAY, 7, lifecycle="spot")
    return aws


@pytest.fixture
def account(app: Flask, fleet: SimulatedAws, client1: User) -> Account:
    """Connected and discovered once."""
    entered = connected(app, fleet, client1)
    run_jobs(app)
    return reload(app, entered)
