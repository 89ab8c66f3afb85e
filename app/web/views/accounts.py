"""Pages about AWS accounts: the list, one account, asking AWS again, renaming and disconnecting it."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.database import commits
from app.errors import InvalidInputError
from app.models.types import AccountHealth, AccountStatus, Role
from app.services.accounts import connect, listing
from app.services.instances.freshness import stale_before
from app.web.access import current_viewer, fresh, requires, settings
from app.web.arguments import one_of
from app.web.forms.accounts import DisconnectForm, RenameForm, one_line
from app.web.views.account_page import managed, show_context, show_error, to_account

blueprint = Blueprint("accounts", __name__, url_prefix="/accounts")


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    return render_template("account/index.html", **_index_context())


@blueprint.get("/table")
@requires(Role.CLIENT)
def table() -> str:
    """The list alone, for refreshing it while something runs."""
    return render_template("account/_table.html", **_index_context())


def _index_context() -> dict[str, object]:
    status = one_of(AccountStatus, "status")
    health = one_of(AccountHealth, "health")
    q = one_line(request.args.get("q")) or ""
    rows = listing.list_accounts(current_viewer(), status=status, health=health, q=q)
    return {
        "rows": rows,
        "is_filtered": bool(status or health or q),
        "is_busy": any(row.run for row in rows),
        "stale_before": stale_before(settings().discovery_interval_seconds),
        "filters": {"status": status, "health": health, "q": q},
        # Of the known filters only: url_for takes some names (endpoint, _scheme) for its own.
        "table_url": url_for("accounts.table", status=status, health=health, q=q or None),
        "statuses": [(status.value, status.value) for status in AccountStatus],
        "healths": [(health.value, health.value) for health in AccountHealth],
    }


@blueprint.get("/<int:account_pk>")
@requires(Role.CLIENT)
def show(account_pk: int) -> str:
    return render_template("account/show.html", **show_context(account_pk))


@blueprint.get("/<int:account_pk>/progress")
@requires(Role.CLIENT)
def progress(account_pk: int) -> str:
    """What changes by itself on an account's page, for refreshing it while something runs."""
    return render_template("account/_progress.html", **show_context(account_pk))


@blueprint.post("/<int:account_pk>/verify")
@requires(Role.CLIENT)
@commits
def verify(account_pk: int) -> ResponseReturnValue:
    account = listing.get_account(current_viewer(), account_pk)
    connect.request_verification(account, actor=current_viewer())
    flash("AWS is being asked again.", "info")
    return to_account(account)


@blueprint.post("/<int:account_pk>/discover")
@requires(Role.CLIENT)
@commits
def discover(account_pk: int) -> ResponseReturnValue:
    account = listing.get_account(current_viewer(), account_pk)
    connect.request_discovery(account, actor=current_viewer())
    flash("The account's regions are being read.", "info")
    return to_account(account)


@blueprint.route("/<int:account_pk>/rename", methods=["GET", "POST"])
@requires(Role.CLIENT)
@commits
def rename(account_pk: int) -> ResponseReturnValue:
    account = managed(account_pk)
    form = RenameForm(account_name=account.account_name)
    if form.validate_on_submit():
        connect.rename_account(account, form.account_name.data or "", actor=current_viewer())
        flash("Renamed.", "ok")
        return to_account(account)
    return render_template("account/rename.html", account=account, form=form), 422 if form.errors else 200


@blueprint.route("/<int:account_pk>/disconnect", methods=["GET", "POST"])
@fresh
@requires(Role.CLIENT)
@commits
def disconnect(account_pk: int) -> ResponseReturnValue:
    account = managed(account_pk)
    form = DisconnectForm()
    if form.validate_on_submit():
        name = account.account_name
        try:
            connect.disconnect_account(account, confirmation=form.confirmation.data or "", actor=current_viewer())
        except InvalidInputError as error:
            show_error(form, error)
        else:
            flash(f"{name} is disconnected. Its role or key still exists in AWS: delete it there.", "ok")
            return redirect(url_for("accounts.index"), 303)
    return render_template("account/disconnect.html", account=account, form=form), 422 if form.errors else 200
