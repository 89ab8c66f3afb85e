"""A simulated AWS for a test: real HTTP, real signatures, empty until the test makes accounts in it."""

from collections.abc import Iterator

import pytest

from demo.aws.cloud import SimulatedAws
from demo.aws.regions import CLOSED, ENABLED
from demo.aws.server import SimulationServer

APP_ACCOUNT = "999988887777"


@pytest.fixture(scope="session")
def _simulation() -> Iterator[SimulationServer]:
    with SimulationServer(SimulatedAws()) as server:
        yield server


@pytest.fixture
def aws(_simulation: SimulationServer, monkeypatch: pytest.MonkeyPatch) -> SimulatedAws:
    """The simulation, emptied, with the installation's own identity in the environment."""
    cloud = _simulation.cloud
    cloud.reset()
    cloud.regions = {"us-east-1": ENABLED, "eu-west-1": ENABLED, "me-south-1": CLOSED}
    app = cloud.create_user_keys(APP_ACCOUNT, "spotkeeper")
    for name, value in {
        "AWS_ENDPOINT_URL": _simulation.url,
        "AWS_ACCESS_KEY_ID": app.access_key_id,
        "AWS_SECRET_ACCESS_KEY": app.secret_access_key,
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return cloud
