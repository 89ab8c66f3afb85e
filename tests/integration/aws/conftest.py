"""A rogue AWS endpoint for each test, which botocore takes for AWS, and a tenant with keys of its own."""

import time

import pytest

from app.aws.credentials import Credentials
from tests.fakes.rogue_aws import Rogue

#: Seconds: far less than the endpoint keeps anybody waiting, far more than a busy machine needs.
SOON = 15


@pytest.fixture
def rogue(monkeypatch):
    """A rogue endpoint which botocore takes for AWS, and an installation with its own AWS credentials."""
    endpoint = Rogue()
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAAMBIENTAMBIENT00")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambientAMBIENTambientAMBIENTambientAMBIE")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    yield endpoint
    endpoint.close()


@pytest.fixture
def tenant():
    return Credentials("AKIATENANTTENANT0000", "tenantSECRETtenantSECRETtenantSECRETtena")


@pytest.fixture(autouse=True)
def _quick(quick_retries):
    """Faults are answered at once here."""


@pytest.fixture
def stopwatch():
    """`stopwatch() < SOON`: nobody waited for what never comes, which would have taken minutes."""
    started = time.monotonic()
    return lambda: time.monotonic() - started
