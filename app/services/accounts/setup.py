"""What an account's owner has to do in AWS: policies, template, command and link, for this account alone."""

from dataclasses import dataclass

from app.aws import cloudformation
from app.aws.event_template import EventTarget
from app.models import Account
from app.services.events.parse import KINDS
from app.services.events.tokens import TOKEN_HEADER
from app.services.identity import find_identity


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything to be pasted or clicked in AWS, with this account's External ID."""

    external_id: str
    app_arn: str
    trust_policy: str
    permission_policy: str
    template: str
    cli_command: str
    quick_create_url: str | None
    """None where the operator has set no template's address, or AWS's console there is not known."""


def event_target(endpoint: str) -> EventTarget | None:
    """What a template says of where events go; None where AWS cannot reach this installation (no endpoint)."""
    return EventTarget(endpoint, TOKEN_HEADER, KINDS) if endpoint else None


def describe_setup(account: Account, template_url: str, event_endpoint: str = "") -> Setup | None:
    """The instructions for one account; None while this installation does not know who it is in AWS. With an endpoint
    for events the template can send them, too."""
    identity = find_identity()
    if identity is None or not identity.account_id:
        return None
    who = (identity.account_id, identity.arn, account.external_id)
    target = event_target(event_endpoint)
    link = None
    if template_url:
        link = cloudformation.quick_create_url(
            template_url,
            account.region,
            cloudformation.DEFAULT_STACK_NAME,
            account.external_id,
            account.partition,
        )
    return Setup(
        external_id=account.external_id,
        app_arn=identity.arn,
        trust_policy=cloudformation.as_json(cloudformation.trust_policy(*who, account.partition)),
        permission_policy=cloudformation.as_json(cloudformation.permission_policy(account.partition)),
        template=cloudformation.role_template(
            *who, partition=account.partition, events=target and target.unless_lacking(account.region)
        ),
        cli_command=cloudformation.cli_command(account.region, account.external_id),
        quick_create_url=link,
    )
