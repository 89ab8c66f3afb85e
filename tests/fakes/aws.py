"""A simulated AWS for a test: real HTTP, real signatures, empty until the test makes accounts in it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from demo.aws.accounts import Keys
from demo.aws.cloud import SimulatedAws
from demo.aws.regions import AccountRegions
from demo.aws.server import AwsServer

APP_ACCOUNT = "555500001111"
APP_PERMISSIONS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole", "pricing:GetProducts"], "Resource": "*"}],
}

#: Enough to tell one region's trouble from another's; each costs a test time.
TWO_REGIONS = AccountRegions(enabled=("us-east-1", "eu-west-1"), not_opted_in=("me-south-1",))

#: `boto(keys, "ec2", "us-east-1")` -> a boto3 client that is closed after the test.
Boto = Callable[..., Any]


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AwsServer]:
    """One server for all tests; `simulated_aws` and `aws` empty it for each."""
    with AwsServer() as server:
        yield server


@pytest.fixture
def simulated_aws(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedAws]:
    """The simulation, emptied; botocore takes it for AWS, and there are no credentials in the environment."""
    cloud = aws_server.cloud
    cloud.reset()
    take_for_aws(aws_server, monkeypatch)
    yield cloud
    cloud.reset()


@pytest.fixture
def app_keys(simulated_aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch) -> Keys:
    """The installation's own identity, which may assume roles; in the environment too."""
    return identify_app(simulated_aws, monkeypatch)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's waits between attempts are its own affair; only their number is ours."""
    retry_quickly(monkeypatch)


@pytest.fixture
def aws(simulated_aws: SimulatedAws, app_keys: Keys, quick_retries: None) -> SimulatedAws:
    """The simulation as the application meets it: empty, our own identity in the environment, and few regions."""
    simulated_aws.default_regions = TWO_REGIONS
    return simulated_aws


@contextmanager
def simulation(server: AwsServer, patch: pytest.MonkeyPatch) -> Iterator[SimulatedAws]:
    """What `aws` is, for as long as the caller wants; its tests use none of the fixtures above."""
    server.cloud.reset()
    take_for_aws(server, patch)
    identify_app(server.cloud, patch)
    retry_quickly(patch)
    yield server.cloud
    server.cloud.reset()


def take_for_aws(server: AwsServer, patch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        patch.delenv(name, raising=False)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_ENDPOINT_URL", server.url)
    patch.setenv("AWS_REGION", "us-east-1")


def identify_app(cloud: SimulatedAws, patch: pytest.MonkeyPatch) -> Keys:
    keys = cloud.create_user_keys(APP_ACCOUNT, "spotkeeper", APP_PERMISSIONS)
    patch.setenv("AWS_ACCESS_KEY_ID", keys.access_key_id)
    patch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_access_key)
    return keys


def retry_quickly(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.001)
    # What the adaptive mode waits for once it was throttled.
    patch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda self, amount=1, block=True: True)


@pytest.fixture
def boto(aws_server: AwsServer) -> Iterator[Boto]:
    """Clients for any keys; one attempt each, so that a fault is seen as it is."""
    with ExitStack() as stack:

        def make(keys: Keys, service: str, region: str = "us-east-1", **options: Any) -> Any:
            client = keys.client(service, region, aws_server.url, **options)
            stack.callback(client.close)
            return client

        yield make
