"""The CloudFormation template that sends an account's EC2 events here; pure, does not import boto3.

Rules are regional: the stack is made in every region whose events are wanted. Sources: CloudFormation reference,
AWS::Events::Connection, AWS::Events::ApiDestination, AWS::Events::Rule.
"""

import shlex

TEMPLATE_FILE_NAME = "spotkeeper-events.yaml"
STACK_NAME = "spotkeeper-events"


def event_template(endpoint: str, header: str, kinds: tuple[str, ...]) -> str:
    """The template as YAML text, with one parameter, EventToken. That one is NoEcho, for it is a secret.

    `endpoint` is the https address of the receiving endpoint, `header` the header that carries the token, `kinds` the
    detail-types that are wanted.
    """
    if not endpoint.startswith("https://") or any(mark in endpoint + header for mark in "'\"\n\\"):
        raise ValueError("The endpoint must be an https address.")
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
        "  Connection:",
        "    Type: AWS::Events::Connection",
        "    Properties:",
        "      AuthorizationType: API_KEY",
        "      AuthParameters:",
        "        ApiKeyAuthParameters:",
        f"          ApiKeyName: '{header}'",
        "          ApiKeyValue: !Ref EventToken",
        "  Destination:",
        "    Type: AWS::Events::ApiDestination",
        "    Properties:",
        "      ConnectionArn: !GetAtt Connection.Arn",
        "      HttpMethod: POST",
        f"      InvocationEndpoint: '{endpoint}'",
        "      InvocationRateLimitPerSecond: 50",
        "  Sender:",
        "    Type: AWS::IAM::Role",
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
        "    Properties:",
        "      EventPattern:",
        "        source: [aws.ec2]",
        "        detail-type:",
        *(f"          - '{kind}'" for kind in kinds),
        "      Targets:",
        "        - Id: Spotkeeper",
        "          Arn: !GetAtt Destination.Arn",
        "          RoleArn: !GetAtt Sender.Arn",
        "          RetryPolicy: {MaximumEventAgeInSeconds: 3600, MaximumRetryAttempts: 20}",
    ]
    return "\n".join(lines) + "\n"


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
