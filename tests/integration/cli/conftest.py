"""A discovered account to command, and worker processes to do what is commanded."""

import os

import pytest

from demo.aws.cloud import SimulatedAws
from tests.integration.discovery.conftest import account, fleet
from tests.integration.runs.conftest import start

__all__ = ["account", "aws_environment", "fleet", "start"]


@pytest.fixture
def aws_environment(fleet: SimulatedAws) -> dict[str, str]:
    """What another process needs to take the simulation for AWS."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
