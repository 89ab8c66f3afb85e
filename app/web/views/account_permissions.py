"""Asking AWS again what an account lets us do."""

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue

from app.database import commits
from app.models.types import Role
from app.services.accounts import listing, permissions
from app.web.access import current_viewer, requires

blueprint = Blueprint("account_permissions", __name__, url_prefix="/accounts")


@blueprint.post("/<int:account_pk>/permissions")
@requires(Role.CLIENT)
@commits
def check(account_pk: int) -> ResponseReturnValue:
    account = listing.get_account(current_viewer(), account_pk)
    permissions.request_permission_check(account, actor=current_viewer())
    flash("AWS is being asked what each region allows.", "info")
    return redirect(url_for("accounts.show", account_pk=account.id), 303)
