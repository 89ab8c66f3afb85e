"""What an account's owner has to do in AWS: policies, template, command and link, for this account alone."""

from collections.abc import Collection
from dataclasses import dataclass

from app.aws import cloudformation, terraform
from app.aws.event_template import EventTarget
from app.aws.formats import DEFAULT_ROLE_NAME, parse_role_arn
from app.aws.grants import DEFAULT_GRANTS, Grant, read_actions
from app.models import Account
from app.services.accounts.connection import expected_role_arn
from app.services.accounts.grants import grants_of
from app.services.events.parse import KINDS
from app.services.events.tokens import TOKEN_HEADER
from app.services.identity import find_identity


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything to be pasted or clicked in AWS, with this account's External ID."""

    external_id: str
    app_arn: str
    role_arn: str
    """Of the role that is asked for: named by the owner, or the one that the template makes."""

    trust_policy: str
    permission_policy: str
    template: str
    cli_command: str
    update_command: str
    """For a stack that is there, when the choice of what to allow has changed."""

    terraform: str
    quick_create_url: str | None
    """None where the operator has set no template's address, AWS's console there is not known, or the choice is
    another than that template's."""


def event_target(endpoint: str) -> EventTarget | None:
    """What a template says of where events go; None where AWS cannot reach this installation (no endpoint)."""
    return EventTarget(endpoint, TOKEN_HEADER, KINDS) if endpoint else None


def describe_setup(account: Account, template_url: str, event_endpoint: str = "") -> Setup | None:
    """The instructions for one account; None while this installation does not know who it is in AWS. With an endpoint
    for events the template can send them, too, where they were chosen or are on."""
    identity = find_identity()
    if identity is None or not identity.account_id:
        return None
    who = (identity.account_id, identity.arn, account.external_id)
    grants = grants_of(account)
    wants_events = Grant.EVENTS in grants or account.event_token_hash is not None
    target = event_target(event_endpoint) if wants_events else None
    trust = cloudformation.trust_policy(*who, account.partition)
    permissions = cloudformation.permission_policy(account.partition, grants)
    link = None
    if template_url and read_actions(grants) == read_actions(DEFAULT_GRANTS):
        link = cloudformation.quick_create_url(
            template_url,
            account.region,
            cloudformation.DEFAULT_STACK_NAME,
            account.external_id,
            account.partition,
        )
    role_name = parse_role_arn(account.role_arn).name if account.role_arn else DEFAULT_ROLE_NAME
    return Setup(
        external_id=account.external_id,
        app_arn=identity.arn,
        role_arn=expected_role_arn(account),
        trust_policy=cloudformation.as_json(trust),
        permission_policy=cloudformation.as_json(permissions),
        template=cloudformation.role_template(
            *who,
            partition=account.partition,
            grants=grants,
            role_name=role_name,
            events=target and target.unless_lacking(account.region),
        ),
        cli_command=cloudformation.cli_command(account.region, account.external_id),
        update_command=cloudformation.cli_command(
            account.region,
            account.external_id,
            is_update=True,
            keeps_event_token=target is not None and account.event_token_hash is not None,
        ),
        terraform=terraform.role_configuration(role_name, trust, permissions),
        quick_create_url=link,
    )


def preview_policy(grants: Collection[Grant], partition: str = "aws") -> str:
    """The permission policy that a choice comes to, as JSON, before there is an account."""
    return cloudformation.as_json(cloudformation.permission_policy(partition, grants))
