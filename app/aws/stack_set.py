"""One CloudFormation template and two commands that make the roles of many accounts; pure, does not import boto3.

Each account keeps an External ID of its own: the template looks up, by the account in which it runs, which one that is.
Sources: CloudFormation guide, "Mappings" and its quotas (200 attributes a mapping, 51,200 bytes a template body),
StackSets with service-managed permissions (they never reach the management account).
"""

import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from app.aws.cloudformation import role_resource
from app.aws.formats import ACCOUNT_ID, EXTERNAL_ID, REGION, RoleArn
from app.aws.grants import DEFAULT_GRANTS, Grant

TEMPLATE_FILE_NAME = "spotkeeper-roles.yaml"
#: What one mapping may hold.
MOST_ACCOUNTS = 200


@dataclass(frozen=True, slots=True)
class WantedRole:
    """The role that one account is to have."""

    role: RoleArn
    external_id: str


def roles_template(
    app_account_id: str,
    app_principal_arn: str | None,
    wanted: Sequence[WantedRole],
    *,
    partition: str = "aws",
    grants: Collection[Grant] = DEFAULT_GRANTS,
) -> str:
    """The template as YAML text, without parameters, for up to MOST_ACCOUNTS accounts.

    Deployed in an account that is not among them it fails, and makes nothing.
    """
    if not wanted or len(wanted) > MOST_ACCOUNTS:
        raise ValueError(f"A template is for 1 to {MOST_ACCOUNTS} accounts.")
    if not ACCOUNT_ID.fullmatch(app_account_id) or not all(EXTERNAL_ID.fullmatch(each.external_id) for each in wanted):
        raise ValueError("Not an account id, or not an External ID.")
    names, paths = {each.role.name for each in wanted}, {each.role.path for each in wanted}
    mappings = _mapping("ExternalIds", wanted, lambda each: each.external_id)
    if len(names) > 1:
        mappings += _mapping("RoleNames", wanted, lambda each: each.role.name)
    if len(paths) > 1:
        mappings += _mapping("RolePaths", wanted, lambda each: each.role.path)
    lines = [
        "AWSTemplateFormatVersion: '2010-09-09'",
        "Description: Lets Spotkeeper read the EC2 instances of these accounts. It can change nothing.",
        "Mappings:",
        *mappings,
        "Resources:",
        *role_resource(
            app_account_id,
            app_principal_arn,
            name=_looked_up("RoleNames", names),
            path=_looked_up("RolePaths", paths),
            external_id="!FindInMap [ExternalIds, !Ref 'AWS::AccountId', Is]",
            partition=partition,
            grants=grants,
        ),
        "Outputs:",
        "  RoleArn:",
        "    Description: Spotkeeper looks for it by itself.",
        "    Value: !GetAtt Role.Arn",
    ]
    return "\n".join(lines) + "\n"


def stack_set_commands(region: str, stack_set_name: str, account_ids: Sequence[str]) -> str:
    """Two lines for a POSIX shell with credentials of the management account: make the StackSet, and its stacks.

    Service-managed permissions want a place in the organization, and the accounts within it: its root is asked for.
    """
    if not REGION.fullmatch(region) or not all(map(ACCOUNT_ID.fullmatch, account_ids)):
        raise ValueError("Not an AWS region, or not an account id.")
    common = f"--region {region} --stack-set-name {shlex.quote(stack_set_name)}"
    root = "$(aws organizations list-roots --query 'Roots[0].Id' --output text)"
    targets = f"OrganizationalUnitIds={root},Accounts={','.join(account_ids)},AccountFilterType=INTERSECTION"
    return (
        f"aws cloudformation create-stack-set {common} --template-body file://{TEMPLATE_FILE_NAME} \\\n"
        "  --capabilities CAPABILITY_NAMED_IAM --permission-model SERVICE_MANAGED --auto-deployment Enabled=false\n"
        f"aws cloudformation create-stack-instances {common} --regions {region} \\\n"
        f'  --deployment-targets "{targets}"\n'
    )


def _mapping(name: str, wanted: Sequence[WantedRole], value: Callable[[WantedRole], str]) -> list[str]:
    """One value an account: however a quota counts them, there are no more than there are accounts."""
    return [f"  {name}:", *(f"    '{each.role.account_id}': {{Is: '{value(each)}'}}" for each in wanted)]


def _looked_up(mapping: str, values: set[str]) -> str:
    return f"'{next(iter(values))}'" if len(values) == 1 else f"!FindInMap [{mapping}, !Ref 'AWS::AccountId', Is]"
