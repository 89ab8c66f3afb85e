"""The policies and the CloudFormation template a customer installs; pure, does not import boto3.

Everything put into them is checked by shape first, so that no value can add a statement or a line.
"""

import json
import re
import shlex
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from app.aws.event_template import EventTarget, event_resources
from app.aws.formats import (
    ACCOUNT_ID,
    DEFAULT_ROLE_NAME,
    EXTERNAL_ID,
    PARTITIONS,
    REGION,
)
from app.aws.grants import ALL_GRANTS, DEFAULT_GRANTS, Grant, read_actions

POLICY_VERSION = "2012-10-17"
TEMPLATE_FILE_NAME = "spotkeeper-role.yaml"
DEFAULT_STACK_NAME = "spotkeeper-access"

_SENDS_EVENTS = "SendsEvents"
_EVENT_PARAMETER = (
    "  EventToken:",
    "    Type: String",
    "    NoEcho: true",
    "    Default: ''",
    "    AllowedPattern: '([A-Za-z0-9_-]{32,})?'",
    "    Description: Leave it empty, or give the token of this account's events to have those of this region sent.",
    "Conditions:",
    f"  {_SENDS_EVENTS}: !Not [!Equals [!Ref EventToken, '']]",
)

_PRINCIPAL = re.compile(
    r"arn:(?P<partition>[a-z-]+):(?P<service>iam|sts)::(?P<account>[0-9]{12}):"
    r"(?:(?P<root>root)|(?P<kind>role|user|assumed-role)/(?P<rest>[A-Za-z0-9_+=,.@/-]{1,600}))"
)
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_ROLE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")


def principal_patterns(app_principal_arn: str | None) -> tuple[str, ...]:
    """The `aws:PrincipalArn` values that mean "this installation", or none when that cannot be said.

    A session's ARN (sts, assumed-role/Name/session) becomes its role's. It lacks the role's path, so both the
    plain ARN and one with any path are given. The root user has no pattern: the account is the principal anyway.
    """
    if app_principal_arn is None or not (match := _PRINCIPAL.fullmatch(app_principal_arn)):
        return ()
    if match["root"]:
        return ()
    prefix = f"arn:{match['partition']}:iam::{match['account']}"
    if match["kind"] == "assumed-role":
        name = match["rest"].split("/")[0]
        return (f"{prefix}:role/{name}", f"{prefix}:role/*/{name}")
    return (f"{prefix}:{match['kind']}/{match['rest']}",)


def trust_policy(
    app_account_id: str, app_principal_arn: str | None, external_id: str, partition: str = "aws"
) -> dict[str, Any]:
    """Who may assume the role: our account, only as this installation, only with this External ID.

    The principal is the account's root, narrowed by a condition: a principal that names a role turns into that
    role's internal id, and locks us out once the role is made anew.
    """
    _check(app_account_id=app_account_id, partition=partition)
    if not EXTERNAL_ID.fullmatch(external_id):
        raise ValueError("Not an External ID.")
    conditions: dict[str, Any] = {"StringEquals": {"sts:ExternalId": external_id}}
    if patterns := principal_patterns(app_principal_arn):
        conditions["ArnLike"] = {"aws:PrincipalArn": list(patterns)}
    return {
        "Version": POLICY_VERSION,
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{app_account_id}:root"},
                "Action": "sts:AssumeRole",
                "Condition": conditions,
            }
        ],
    }


def permission_policy(partition: str = "aws", grants: Collection[Grant] = DEFAULT_GRANTS) -> dict[str, Any]:
    """What the role may do: reading only, by what its owner chose to allow.

    EC2's Describe actions know no resource but "*".
    """
    return {"Version": POLICY_VERSION, "Statement": [read_statement(read_actions(grants), partition)]}


def read_statement(actions: Sequence[str], partition: str = "aws") -> dict[str, Any]:
    """The statement of `permission_policy` for some of its actions: what to add where they lack."""
    _check(partition=partition)
    if unknown := sorted(set(actions) - set(read_actions(ALL_GRANTS))):
        raise ValueError(f"Not among the read actions: {', '.join(unknown)}.")
    return {"Sid": "SpotkeeperRead", "Effect": "Allow", "Action": list(actions), "Resource": "*"}


def role_template(
    app_account_id: str,
    app_principal_arn: str | None,
    external_id: str | None = None,
    *,
    partition: str = "aws",
    role_name: str = DEFAULT_ROLE_NAME,
    grants: Collection[Grant] = DEFAULT_GRANTS,
    events: EventTarget | None = None,
) -> str:
    """The CloudFormation template as YAML text, with one parameter, ExternalId, and one output, RoleArn.

    With `external_id` the parameter has it as its default (a template downloaded for one account); without, it
    must be given (a template shared by all). Not NoEcho: quick-create links ignore such parameters, and AWS does
    not count an External ID as a secret. The role's name stands in Mappings, because every parameter is asked
    for on the console's page.

    With `events` there is a second parameter, EventToken, which is NoEcho and empty: given a token, the stack also
    sends the events of its own region.
    """
    _check(app_account_id=app_account_id, partition=partition)
    if external_id is not None and not EXTERNAL_ID.fullmatch(external_id):
        raise ValueError("Not an External ID.")
    if not _ROLE_NAME.fullmatch(role_name):
        raise ValueError("Not a role name.")
    lines = [
        "AWSTemplateFormatVersion: '2010-09-09'",
        "Description: Lets Spotkeeper read the EC2 instances of this account. It can change nothing.",
        "Parameters:",
        "  ExternalId:",
        "    Type: String",
        "    Description: Made by Spotkeeper for this account. Leave it as it is.",
        "    MinLength: 2",
        "    MaxLength: 1224",
        "    AllowedPattern: '[A-Za-z0-9_+=,.@:/-]+'",
        *([f"    Default: '{external_id}'"] if external_id else []),
        *(_EVENT_PARAMETER if events else ()),
        "Mappings:",
        "  # A second installation in the same account needs another name: change it here.",
        "  Settings:",
        "    Role:",
        f"      Name: '{role_name}'",
        "Resources:",
        *role_resource(
            app_account_id,
            app_principal_arn,
            name="!FindInMap [Settings, Role, Name]",
            external_id="!Ref ExternalId",
            partition=partition,
            grants=grants,
        ),
        *(event_resources(events, condition=_SENDS_EVENTS) if events else ()),
        "Outputs:",
        "  RoleArn:",
        "    Description: Paste this into Spotkeeper.",
        "    Value: !GetAtt Role.Arn",
    ]
    return "\n".join(lines) + "\n"


def role_resource(
    app_account_id: str,
    app_principal_arn: str | None,
    *,
    name: str,
    external_id: str,
    partition: str,
    grants: Collection[Grant],
    path: str | None = None,
) -> list[str]:
    """The lines of the resource `Role`; its name, path and External ID are given as YAML, for templates differ in where
    they have them from."""
    statement = permission_policy(partition, grants)["Statement"][0]
    lines = [
        "  Role:",
        "    Type: AWS::IAM::Role",
        "    Properties:",
        f"      RoleName: {name}",
        *([f"      Path: {path}"] if path else []),
        "      Description: Read access for Spotkeeper",
        "      MaxSessionDuration: 3600",
        "      AssumeRolePolicyDocument:",
        f"        Version: '{POLICY_VERSION}'",
        "        Statement:",
        "          - Effect: Allow",
        "            Principal:",
        f"              AWS: !Sub 'arn:${{AWS::Partition}}:iam::{app_account_id}:root'",
        "            Action: sts:AssumeRole",
        "            Condition:",
        "              StringEquals:",
        f"                sts:ExternalId: {external_id}",
    ]
    if patterns := principal_patterns(app_principal_arn):
        lines += ["              ArnLike:", "                aws:PrincipalArn:"]
        lines += [f"                  - '{pattern}'" for pattern in patterns]
    return [
        *lines,
        "      Policies:",
        "        - PolicyName: SpotkeeperRead",
        "          PolicyDocument:",
        f"            Version: '{POLICY_VERSION}'",
        "            Statement:",
        f"              - Sid: {statement['Sid']}",
        "                Effect: Allow",
        "                Action:",
        *(f"                  - {action}" for action in statement["Action"]),
        "                Resource: '*'",
    ]


def quick_create_url(
    template_url: str, region: str, stack_name: str, external_id: str, partition: str = "aws"
) -> str | None:
    """A link that opens the console with everything filled in; None in partitions whose console we cannot name.

    `template_url` must be an https object in S3 (AWS takes no other), at most 1,024 characters.
    """
    _check(partition=partition, region=region, stack_name=stack_name)
    host = PARTITIONS[partition].console_host
    if urlsplit(template_url).scheme != "https" or len(template_url) > 1024:
        raise ValueError("The template's address must be an https address in S3 of at most 1,024 characters.")
    if host is None:
        return None
    query = urlencode(
        {"templateURL": template_url, "stackName": stack_name, "param_ExternalId": external_id},
        quote_via=quote,
        safe="",
    )
    return f"https://{region}.{host}/cloudformation/home?region={region}#/stacks/quickcreate?{query}"


def cli_command(
    region: str,
    external_id: str,
    *,
    stack_name: str = DEFAULT_STACK_NAME,
    template_file: str = TEMPLATE_FILE_NAME,
    is_update: bool = False,
    keeps_event_token: bool = False,
) -> str:
    """The AWS CLI line that installs the downloaded template, or changes its stack; quoted for a POSIX shell.

    `keeps_event_token` is for the update of a stack that was given one: a parameter that is left out is emptied.
    """
    _check(region=region, stack_name=stack_name)
    return shlex.join(
        [
            *("aws", "cloudformation", "update-stack" if is_update else "create-stack"),
            *("--region", region),
            *("--stack-name", stack_name),
            *("--template-body", f"file://{template_file}"),
            *("--parameters", f"ParameterKey=ExternalId,ParameterValue={external_id}"),
            *(["ParameterKey=EventToken,UsePreviousValue=true"] if keeps_event_token else []),
            *("--capabilities", "CAPABILITY_NAMED_IAM"),
        ]
    )


def as_json(policy: dict[str, Any], *, indent: int | None = 2) -> str:
    """A policy as text: indented to be pasted, or compact (`indent=None`) to be sent."""
    return json.dumps(policy, indent=indent, separators=(",", ":") if indent is None else None)


def _check(
    *,
    app_account_id: str | None = None,
    partition: str | None = None,
    region: str | None = None,
    stack_name: str | None = None,
) -> None:
    if app_account_id is not None and not ACCOUNT_ID.fullmatch(app_account_id):
        raise ValueError("Not an AWS account id.")
    if partition is not None and partition not in PARTITIONS:
        raise ValueError("Not an AWS partition.")
    if region is not None and not REGION.fullmatch(region):
        raise ValueError("Not an AWS region.")
    if stack_name is not None and not _STACK_NAME.fullmatch(stack_name):
        raise ValueError("A stack's name begins with a letter and has letters, digits and hyphens (128 at most).")
