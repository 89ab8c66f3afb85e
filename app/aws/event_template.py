"""What CloudFormation makes so that an account's EC2 events are sent here; pure, does not import boto3.

Rules are regional: the stack of events is made in every region whose events are wanted. The role's own template can do
it for the region that it is installed in (`cloudformation.role_template`). Sources: CloudFormation reference,
AWS::Events::Connection, AWS::Events::ApiDestination, AWS::Events::Rule.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

TEMPLATE_FILE_NAME = "spotkeeper-events.yaml"
STACK_NAME = "spotkeeper-events"

#: Where a template that mentions API destinations is refused as a whole, whatever its conditions: they are not there.
#: Source: CloudFormation's resource schemas by region, November 2026.
REGIONS_WITHOUT = frozenset(
    {
        *("ap-east-2", "ap-southeast-5", "ap-southeast-6", "ca-west-1", "il-central-1", "mx-central-1"),
        *("us-gov-east-1", "us-gov-west-1"),
    }
)


@dataclass(frozen=True, slots=True)
class EventTarget:
    """Where events are sent, and which.

    Raises:
        ValueError: the endpoint is no https address, or would add a line to a template.
    """

    endpoint: str
    """The https address of the receiving endpoint."""

    header: str
    """The one that carries the token."""

    kinds: Sequence[str]
    """The detail-types that are wanted."""

    def __post_init__(self) -> None:
        if not self.endpoint.startswith("https://") or any(mark in self.endpoint + self.header for mark in "'\"\n\\"):
            raise ValueError("The endpoint must be an https address.")

    def unless_lacking(self, region: str) -> Self | None:
        """This one, or none where CloudFormation knows no API destinations."""
        return None if region in REGIONS_WITHOUT or region.startswith(("us-iso", "eu-iso")) else self


def event_template(target: EventTarget) -> str:
    """The template as YAML text, with one parameter, EventToken. That one is NoEcho, for it is a secret."""
    lines = [
        "AWSTemplateFormatVersion: '2010-09-09'",
        "Description: Tells Spotkeeper of this region's EC2 instances as soon as something happens to them.",
        "Parameters:",
        "  EventToken:",
        "    Type: String",
        "    NoEcho: true",
        "    MinLength: 32",
        "    Description: Shown once by Spotkeeper, on the account's page.",
        "Resources:",
        *event_resources(target),
    ]
    return "\n".join(lines) + "\n"


def event_resources(target: EventTarget, *, condition: str = "") -> list[str]:
    """The lines of the four resources, which take the token from the parameter EventToken; with `condition` they are
    made only where the template's condition of that name holds."""
    only_if = [f"    Condition: {condition}"] if condition else []
    return [
        "  Connection:",
        "    Type: AWS::Events::Connection",
        *only_if,
        "    Properties:",
        "      AuthorizationType: API_KEY",
        "      AuthParameters:",
        "        ApiKeyAuthParameters:",
        f"          ApiKeyName: '{target.header}'",
        "          ApiKeyValue: !Ref EventToken",
        "  Destination:",
        "    Type: AWS::Events::ApiDestination",
        *only_if,
        "    Properties:",
        "      ConnectionArn: !GetAtt Connection.Arn",
        "      HttpMethod: POST",
        f"      InvocationEndpoint: '{target.endpoint}'",
        "      InvocationRateLimitPerSecond: 50",
        "  Sender:",
        "    Type: AWS::IAM::Role",
        *only_if,
        "    Properties:",
        "      AssumeRolePolicyDocument:",
        "        Version: '2012-10-17'",
        "        Statement:",
        "          - Effect: Allow",
        "            Principal: {Service: events.amazonaws.com}",
        "            Action: sts:AssumeRole",
        "      Policies:",
        "        - PolicyName: SendEvents",
        "          PolicyDocument:",
        "            Version: '2012-10-17'",
        "            Statement:",
        "              - Effect: Allow",
        "                Action: events:InvokeApiDestination",
        "                Resource: !GetAtt Destination.Arn",
        "  Rule:",
        "    Type: AWS::Events::Rule",
        *only_if,
        "    Properties:",
        "      EventPattern:",
        "        source: [aws.ec2]",
        "        detail-type:",
        *(f"          - '{kind}'" for kind in target.kinds),
        "      Targets:",
        "        - Id: Spotkeeper",
        "          Arn: !GetAtt Destination.Arn",
        "          RoleArn: !GetAtt Sender.Arn",
        "          RetryPolicy: {MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 20}",
    ]


def event_command(region: str) -> str:
    """The AWS CLI line that installs the downloaded template in a region; it asks for the token, which must not stand
    in a shell's history."""
    make = shlex.join(
        [
            *("aws", "cloudformation", "deploy"),
            *("--region", region),
            *("--stack-name", STACK_NAME),
            *("--template-file", TEMPLATE_FILE_NAME),
            *("--capabilities", "CAPABILITY_IAM"),
            "--parameter-overrides",
        ]
    )
    return f'read -rs TOKEN && {make} "EventToken=$TOKEN"'
