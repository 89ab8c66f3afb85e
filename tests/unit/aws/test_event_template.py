"""The template that sends events here, as a customer would install it."""

import shlex
from typing import Any

import pytest

from app.aws.event_template import REGIONS_WITHOUT, EventTarget, event_command, event_template
from app.services.events.parse import KINDS
from app.services.events.tokens import TOKEN_HEADER
from tests.unit.aws.test_cloudformation import read

ENDPOINT = "https://spot.example/api/v1/events"
TARGET = EventTarget(ENDPOINT, TOKEN_HEADER, KINDS)


@pytest.fixture
def resources() -> Any:
    return read(event_template(TARGET))["Resources"]


def test_the_token_is_its_only_parameter_and_a_secret() -> None:
    template = read(event_template(TARGET))
    assert list(template["Parameters"]) == ["EventToken"]
    assert template["Parameters"]["EventToken"]["NoEcho"] is True
    assert "Default" not in template["Parameters"]["EventToken"]
    assert "Outputs" not in template


def test_the_rule_asks_for_what_is_taken_and_sends_it_with_the_token(resources: Any) -> None:
    pattern = resources["Rule"]["Properties"]["EventPattern"]
    assert (pattern["source"], tuple(pattern["detail-type"])) == (["aws.ec2"], KINDS)
    key = resources["Connection"]["Properties"]["AuthParameters"]["ApiKeyAuthParameters"]
    assert key == {"ApiKeyName": TOKEN_HEADER, "ApiKeyValue": {"Ref": "EventToken"}}
    assert resources["Destination"]["Properties"]["InvocationEndpoint"] == ENDPOINT


def test_its_role_may_send_there_and_nothing_else(resources: Any) -> None:
    (policy,) = resources["Sender"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == (
        "events:InvokeApiDestination",
        {"GetAtt": "Destination.Arn"},
    )
    assert "RoleName" not in resources["Sender"]["Properties"], "one in each region could not have the same name"


def test_the_linter_of_cloudformation_agrees() -> None:
    from cfnlint.api import lint_all

    found = [str(match) for match in lint_all(event_template(TARGET)) if match.rule.id[0] != "I"]
    # Some of the newest regions, and GovCloud, have no API destinations: docs/aws-access.md says what to do there.
    assert [text for text in found if "does not exist in '" not in text] == []
    lacking = {region for region in REGIONS_WITHOUT if any(f"'{region}'" in text for text in found)}
    assert lacking == REGIONS_WITHOUT
    assert not [text for text in found if not any(region in text for region in REGIONS_WITHOUT)]


def test_where_there_are_no_api_destinations_nothing_is_said_of_them() -> None:
    """A template with a resource that is not known there is refused as a whole, even where its condition is false."""
    assert TARGET.unless_lacking("il-central-1") is None
    assert TARGET.unless_lacking("us-isob-east-1") is None
    assert TARGET.unless_lacking("eu-west-1") is TARGET


@pytest.mark.parametrize("endpoint", ["http://spot.example", "javascript:x", "https://x'\n  Evil: '", 'https://x"'])
def test_no_address_can_add_a_line(endpoint: str) -> None:
    with pytest.raises(ValueError, match="https"):
        EventTarget(endpoint, TOKEN_HEADER, KINDS)


def test_the_command_keeps_the_token_out_of_the_shells_history() -> None:
    words = shlex.split(event_command("eu-west-1"))
    assert words[:4] == ["read", "-rs", "TOKEN", "&&"]
    assert words[words.index("--region") + 1] == "eu-west-1"
    assert words[-1] == "EventToken=$TOKEN"
