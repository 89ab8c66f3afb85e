"""Pages about AWS accounts: the list, one account, connecting, changing and disconnecting it."""

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.aws.cloudformation import TEMPLATE_FILE_NAME
from app.database import commits
from app.errors import ConflictError, ForbiddenError, InvalidInputError
from app.models import Account
from app.models.types import AccountHealth, AccountStatus, ConnectionMethod, Role
from app.services.accounts import connect, listing, setup
from app.services.accounts.calls import list_calls
from app.services.accounts.permissions import list_permission_grid
from app.services.identity import find_identity
from app.services.instances.freshness import stale_before
from app.services.remedies import remedy_for
from app.services.runs import MAX_ATTEMPTS, find_active_run
from app.services.runs.listing import RunRow, list_account_runs
from app.web.access import current_viewer, fresh, requires, settings
from app.web.arguments import one_of
from app.web.forms.accounts import (
    ConnectKeysForm,
    ConnectRoleForm,
    DisconnectForm,
    KeysForm,
    RenameForm,
    RoleForm,
    one_line,
)
from app.web.navigation import event_endpoint

blueprint = Blueprint("accounts", __name__, url_prefix="/accounts")

#: How many of the newest runs an account's page shows.
RUNS_LENGTH = 10

CONNECT_FORMS = {ConnectionMethod.IAM_ROLE: ConnectRoleForm, ConnectionMethod.ACCESS_KEYS: ConnectKeysForm}


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


@blueprint.route("/new", methods=["GET", "POST"])
@requires(Role.CLIENT)
@commits
def new() -> ResponseReturnValue:
    """Enter an account: by role, or by access keys where a role cannot be."""
    method = next(
        (method for method in ConnectionMethod if method.value == request.values.get("method")),
        ConnectionMethod.IAM_ROLE,
    )
    form = CONNECT_FORMS[method]()
    if form.validate_on_submit():
        try:
            account = connect.connect_account(current_viewer(), connection_method=method, **_values(form))
        except ConflictError as error:
            _show_error(form, error)
        else:
            return redirect(url_for("accounts.show", account_pk=account.id), 303)
    page = render_template("account/new.html", form=form, method=method, identity=find_identity())
    return page, 422 if form.errors else 200


@blueprint.get("/<int:account_pk>")
@requires(Role.CLIENT)
def show(account_pk: int) -> str:
    return render_template("account/show.html", **_show_context(account_pk), role_form=RoleForm())


@blueprint.get("/<int:account_pk>/progress")
@requires(Role.CLIENT)
def progress(account_pk: int) -> str:
    """What changes by itself on an account's page, for refreshing it while something runs."""
    return render_template("account/_progress.html", **_show_context(account_pk))


def _show_context(account_pk: int) -> dict[str, object]:
    viewer = current_viewer()
    account = listing.get_account(viewer, account_pk)
    run = find_active_run(account)
    is_owner = viewer.id == account.user_id
    return {
        "account": account,
        "is_owner": is_owner,
        "may_manage": _may_manage(account),
        "remedy": remedy_for(account.error_code),
        "remedy_for": remedy_for,
        "regions": listing.list_region_scans(account),
        "events": listing.list_events(account),
        "runs": list_account_runs(account, size=RUNS_LENGTH),
        "run": run,
        "row": run and RunRow(run),
        "most_attempts": MAX_ATTEMPTS,
        "calls": list_calls(account, settings().aws_calls_per_hour),
        "grid": list_permission_grid(account),
        "stale_before": stale_before(settings().discovery_interval_seconds),
        # The External ID is its owner's affair alone.
        "setup": setup.describe_setup(account, settings().template_url) if is_owner else None,
    }


@blueprint.post("/<int:account_pk>/role")
@requires(Role.CLIENT)
@commits
def name_role(account_pk: int) -> ResponseReturnValue:
    account = _owned(account_pk)
    form = RoleForm()
    if form.validate_on_submit():
        try:
            connect.name_role(account, form.role_arn.data or "", actor=current_viewer())
        except InvalidInputError as error:
            _show_error(form, error)
        else:
            flash("AWS is being asked. This page follows by itself.", "info")
            return _to(account)
    return render_template("account/show.html", **_show_context(account_pk), role_form=form), 422


@blueprint.post("/<int:account_pk>/verify")
@requires(Role.CLIENT)
@commits
def verify(account_pk: int) -> ResponseReturnValue:
    account = listing.get_account(current_viewer(), account_pk)
    connect.request_verification(account, actor=current_viewer())
    flash("AWS is being asked again.", "info")
    return _to(account)


@blueprint.post("/<int:account_pk>/discover")
@requires(Role.CLIENT)
@commits
def discover(account_pk: int) -> ResponseReturnValue:
    account = listing.get_account(current_viewer(), account_pk)
    connect.request_discovery(account, actor=current_viewer())
    flash("The account's regions are being read.", "info")
    return _to(account)


@blueprint.route("/<int:account_pk>/rename", methods=["GET", "POST"])
@requires(Role.CLIENT)
@commits
def rename(account_pk: int) -> ResponseReturnValue:
    account = _managed(account_pk)
    form = RenameForm(account_name=account.account_name)
    if form.validate_on_submit():
        connect.rename_account(account, form.account_name.data or "", actor=current_viewer())
        flash("Renamed.", "ok")
        return _to(account)
    return render_template("account/rename.html", account=account, form=form), 422 if form.errors else 200


@blueprint.route("/<int:account_pk>/credentials", methods=["GET", "POST"])
@fresh
@requires(Role.CLIENT)
@commits
def credentials(account_pk: int) -> ResponseReturnValue:
    """Replace the role or the keys: of the same kind, or of the other."""
    account = _owned(account_pk)
    method = next(
        (method for method in ConnectionMethod if method.value == request.values.get("method")),
        account.connection_method,
    )
    form = RoleForm(role_arn=account.role_arn) if method is ConnectionMethod.IAM_ROLE else KeysForm()
    if form.validate_on_submit():
        try:
            if method is ConnectionMethod.IAM_ROLE:
                connect.name_role(account, form.role_arn.data or "", actor=current_viewer())
            else:
                connect.replace_keys(account, **_values(form), actor=current_viewer())
        except InvalidInputError as error:
            _show_error(form, error)
        else:
            flash("AWS is being asked whether the new credentials hold.", "info")
            return _to(account)
    return (
        render_template(
            "account/credentials.html",
            account=account,
            form=form,
            method=method,
            setup=setup.describe_setup(account, settings().template_url),
        ),
        422 if form.errors else 200,
    )


@blueprint.route("/<int:account_pk>/disconnect", methods=["GET", "POST"])
@fresh
@requires(Role.CLIENT)
@commits
def disconnect(account_pk: int) -> ResponseReturnValue:
    account = _managed(account_pk)
    form = DisconnectForm()
    if form.validate_on_submit():
        name = account.account_name
        try:
            connect.disconnect_account(account, confirmation=form.confirmation.data or "", actor=current_viewer())
        except InvalidInputError as error:
            _show_error(form, error)
        else:
            flash(f"{name} is disconnected. Its role or key still exists in AWS: delete it there.", "ok")
            return redirect(url_for("accounts.index"), 303)
    return render_template("account/disconnect.html", account=account, form=form), 422 if form.errors else 200


@blueprint.get("/<int:account_pk>/template.yaml")
@requires(Role.CLIENT)
def template(account_pk: int) -> ResponseReturnValue:
    """The CloudFormation template with this account's External ID in it."""
    described = setup.describe_setup(_owned(account_pk), settings().template_url, event_endpoint())
    if described is None:
        raise ConflictError("This installation has no AWS identity yet, so there is no template to give.")
    return Response(
        described.template,
        mimetype="application/yaml",
        headers={"Content-Disposition": f'attachment; filename="{TEMPLATE_FILE_NAME}"'},
    )


def _owned(account_pk: int) -> Account:
    account = listing.get_account(current_viewer(), account_pk)
    if account.user_id != current_viewer().id:
        raise ForbiddenError("Only the account's owner may see or change how it is connected.")
    return account


def _managed(account_pk: int) -> Account:
    account = listing.get_account(current_viewer(), account_pk)
    if not _may_manage(account):
        raise ForbiddenError("Only the account's owner or a super admin may do this.")
    return account


def _may_manage(account: Account) -> bool:
    viewer = current_viewer()
    return viewer.id == account.user_id or viewer.can(Role.SUPER_ADMIN)


def _values(form: FlaskForm) -> dict[str, str]:
    return {name: value for name, value in form.data.items() if name != "csrf_token"}


def _show_error(form: FlaskForm, error: InvalidInputError) -> None:
    """Put a service's objection beside the field that it is about.

    An objection to no field (the account has changed meanwhile) comes after something was changed: it goes on to
    the error page, which rolls back, and is not caught by a view that then commits.
    """
    if error.field not in form:
        raise error
    field = form[error.field]
    field.errors = [*field.errors, str(error)]


def _to(account: Account) -> ResponseReturnValue:
    return redirect(url_for("accounts.show", account_pk=account.id), 303)
