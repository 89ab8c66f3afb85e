"""An account that trusts the installation, on the simulated AWS."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.aws.accounts import Keys
from demo.aws.cloud import SimulatedAws
from tests.fakes.aws import APP_ACCOUNT, Boto

CUSTOMER = "012345678901"


@pytest.fixture
def refusal() -> Callable[..., tuple[str, int, str]]:
    """`refusal(call, **arguments)` -> code, HTTP status and message of the error that must come."""

    def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, int, str]:
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        response = caught.value.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Message"]

    return refused


@pytest.fixture
def role_arn(simulated_aws: SimulatedAws) -> str:
    """A role of the customer that trusts the installation with the External ID `right-one`."""
    return simulated_aws.set_role_trust(CUSTOMER, "Reader", APP_ACCOUNT, "right-one")


@pytest.fixture
def assume(app_keys: Keys, role_arn: str, boto: Boto) -> Callable[..., Keys]:
    """`assume(**arguments)` -> the keys of a session of the customer's role."""

    def assumed(**arguments: Any) -> Keys:
        asked = {"RoleArn": role_arn, "RoleSessionName": "reading", "ExternalId": "right-one"} | arguments
        answer = boto(app_keys, "sts").assume_role(**asked)
        given = answer["Credentials"]
        return Keys(
            CUSTOMER,
            answer["AssumedRoleUser"]["Arn"],
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given["SessionToken"],
        )

    return assumed
