"""The accounts of an organization: listed through a connected account, ticked, and entered at once."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.aws.grants import Grant
from app.database import commits
from app.models.types import Role, RunKind
from app.services.accounts import many, organization
from app.services.accounts.account_list import MOST_LINES
from app.services.accounts.grants import grants_of
from app.services.accounts.permissions import request_permission_check
from app.services.remedies import remedy_for
from app.services.runs import find_active_run
from app.web.access import current_viewer, requires
from app.web.views.account_page import owned

blueprint = Blueprint("account_organization", __name__, url_prefix="/accounts/<int:account_pk>/organization")


@blueprint.get("")
@requires(Role.CLIENT)
def show(account_pk: int) -> str:
    return render_template("account/organization.html", **_context(account_pk))


@blueprint.get("/members")
@requires(Role.CLIENT)
def members(account_pk: int) -> str:
    """The list alone, for renewing it while AWS is asked."""
    return render_template("account/_members.html", **_context(account_pk))


@blueprint.post("")
@requires(Role.CLIENT)
@commits
def look(account_pk: int) -> ResponseReturnValue:
    account = owned(account_pk)
    request_permission_check(account, actor=current_viewer())
    flash("AWS is being asked for the organization's accounts.", "info")
    return redirect(url_for("account_organization.show", account_pk=account.id), 303)


@blueprint.post("/connect")
@requires(Role.CLIENT)
@commits
def connect(account_pk: int) -> ResponseReturnValue:
    """Enter the ticked accounts: those of the organization alone, whatever was sent."""
    account = owned(account_pk)
    found = organization.describe_organization(account, current_viewer())
    good, bad = organization.choose_members(found, set(request.form.getlist("account")), account.partition)
    if not good:
        flash("Tick at least one account that is active and not connected yet.", "warning")
        return redirect(url_for("account_organization.show", account_pk=account.id), 303)
    # Its members' lists of accounts are theirs: only this one was asked for that.
    batch = many.connect_many(current_viewer(), good, bad, grants=grants_of(account) - {Grant.ORGANIZATION})
    return redirect(url_for("account_batches.show", batch_id=batch.id), 303)


def _context(account_pk: int) -> dict[str, object]:
    account = owned(account_pk)
    return {
        "account": account,
        "organization": organization.describe_organization(account, current_viewer()),
        "is_granted": Grant.ORGANIZATION in grants_of(account),
        "statement": organization.needed_statement(account.partition),
        "run": find_active_run(account, RunKind.CHECK_PERMISSIONS),
        "remedy_for": remedy_for,
        "most": MOST_LINES,
    }
