"""Switching an account's events on and off; its owner's affair alone, for the token is a credential."""

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.aws.event_template import TEMPLATE_FILE_NAME, event_command, event_template
from app.database import commits
from app.errors import ConflictError, ForbiddenError
from app.models import Account
from app.models.types import Role
from app.services.accounts import listing
from app.services.accounts.setup import event_target
from app.services.events.tokens import TOKEN_HEADER, switch_events_off, switch_events_on
from app.web.access import current_viewer, fresh, requires, settings
from app.web.navigation import event_endpoint

blueprint = Blueprint("account_events", __name__, url_prefix="/accounts")


@blueprint.get("/<int:account_pk>/events")
@fresh
@requires(Role.CLIENT)
def show(account_pk: int) -> str:
    return _page(_owned(account_pk))


@blueprint.post("/<int:account_pk>/events")
@fresh
@requires(Role.CLIENT)
@commits
def switch_on(account_pk: int) -> str:
    """Make a token. It stands on the answer to this request and nowhere else, so that is no redirect."""
    account = _owned(account_pk)
    return _page(account, token=switch_events_on(account, actor=current_viewer()))


@blueprint.post("/<int:account_pk>/events/off")
@fresh
@requires(Role.CLIENT)
@commits
def switch_off(account_pk: int) -> ResponseReturnValue:
    account = _owned(account_pk)
    switch_events_off(account, actor=current_viewer())
    flash("Events are off. Delete the stacks in AWS, too: what they send is refused from now on.", "ok")
    return redirect(url_for("account_events.show", account_pk=account.id), 303)


@blueprint.get("/<int:account_pk>/events/template.yaml")
@requires(Role.CLIENT)
def template(account_pk: int) -> ResponseReturnValue:
    """The CloudFormation template; it holds no secret."""
    _owned(account_pk)
    target = event_target(event_endpoint())
    if target is None:
        raise ConflictError("This installation does not know its public address, so AWS cannot send events to it.")
    return Response(
        event_template(target),
        mimetype="application/yaml",
        headers={"Content-Disposition": f'attachment; filename="{TEMPLATE_FILE_NAME}"'},
    )


def _page(account: Account, token: str = "") -> str:
    return render_template(
        "account/events.html",
        account=account,
        token=token,
        endpoint=event_endpoint(),
        header=TOKEN_HEADER,
        command=event_command(account.region),
        queue_is_read=bool(settings().event_queue_url),
    )


def _owned(account_pk: int) -> Account:
    account = listing.get_account(current_viewer(), account_pk)
    if account.user_id != current_viewer().id:
        raise ForbiddenError("Only the account's owner may see or change how its events come.")
    return account
