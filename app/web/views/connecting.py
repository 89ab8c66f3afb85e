"""Connecting an account: the choice, the entry, the role or the keys, and what was found at the end."""

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.aws.cloudformation import TEMPLATE_FILE_NAME
from app.aws.formats import PARTITIONS
from app.aws.grants import DEFAULT_GRANTS, Grant, parse_grants
from app.database import commits
from app.errors import ConflictError, InvalidInputError
from app.models.types import ConnectionMethod, Role
from app.services.accounts import connect, listing, setup
from app.services.accounts.connection import expected_role_arn
from app.services.accounts.found import find_in
from app.services.accounts.grants import choose_grants, grants_of
from app.services.identity import find_identity
from app.services.remedies import remedy_for
from app.web.access import current_viewer, fresh, requires, settings
from app.web.forms.accounts import ConnectKeysForm, ConnectRoleForm, KeysForm, RoleForm
from app.web.navigation import event_endpoint
from app.web.views.account_page import form_values, owned, show_context, show_error, to_account
from app.web.views.accounts import blueprint

CONNECT_FORMS = {ConnectionMethod.IAM_ROLE: ConnectRoleForm, ConnectionMethod.ACCESS_KEYS: ConnectKeysForm}


@blueprint.route("/new", methods=["GET", "POST"])
@requires(Role.CLIENT)
@commits
def new() -> ResponseReturnValue:
    """Enter an account: by role, or by access keys where a role cannot be."""
    method = _method(ConnectionMethod.IAM_ROLE)
    grants = DEFAULT_GRANTS if request.method == "GET" else _chosen()
    form = CONNECT_FORMS[method]()
    if "preview" not in request.form and form.validate_on_submit():
        owner = current_viewer()
        try:
            account = connect.connect_account(owner, connection_method=method, grants=grants, **form_values(form))
        except ConflictError as error:
            show_error(form, error)
        else:
            if method is ConnectionMethod.IAM_ROLE:
                connect.look_for_role(account, actor=owner)
            return to_account(account)
    page = render_template(
        "account/new.html",
        form=form,
        method=method,
        identity=find_identity(),
        grants=grants,
        policy=setup.preview_policy(grants, _partition()),
    )
    return page, 422 if form.errors else 200


@blueprint.get("/policy")
@requires(Role.CLIENT)
def policy() -> str:
    """The policy that a choice comes to, alone: for renewing it while somebody chooses."""
    grants = parse_grants(request.args.getlist("allow"))
    return render_template("account/_policy.html", policy=setup.preview_policy(grants, _partition()), grants=grants)


@blueprint.post("/<int:account_pk>/role")
@requires(Role.CLIENT)
@commits
def name_role(account_pk: int) -> ResponseReturnValue:
    account = owned(account_pk)
    form = RoleForm()
    if form.validate_on_submit():
        try:
            connect.name_role(account, form.role_arn.data or "", actor=current_viewer())
        except InvalidInputError as error:
            show_error(form, error)
        else:
            flash("AWS is being asked. This page follows by itself.", "info")
            return to_account(account)
    return render_template("account/show.html", **show_context(account_pk, role_form=form)), 422


@blueprint.get("/<int:account_pk>/template.yaml")
@requires(Role.CLIENT)
def template(account_pk: int) -> ResponseReturnValue:
    """The CloudFormation template with this account's External ID in it."""
    described = setup.describe_setup(owned(account_pk), settings().template_url, event_endpoint())
    if described is None:
        raise ConflictError("This installation has no AWS identity yet, so there is no template to give.")
    return Response(
        described.template,
        mimetype="application/yaml",
        headers={"Content-Disposition": f'attachment; filename="{TEMPLATE_FILE_NAME}"'},
    )


@blueprint.route("/<int:account_pk>/allow", methods=["GET", "POST"])
@requires(Role.CLIENT)
@commits
def allow(account_pk: int) -> ResponseReturnValue:
    """Choose anew what the account allows, and see what that means for its policy."""
    account = owned(account_pk)
    grants = grants_of(account)
    is_preview = "preview" in request.form
    if request.method == "POST":
        grants = _chosen()
        if not is_preview:
            choose_grants(account, grants, actor=current_viewer())
            flash("Kept. Now bring the policy in AWS in line with it.", "ok")
            return redirect(url_for("accounts.allow", account_pk=account.id), 303)
    return render_template(
        "account/allow.html",
        account=account,
        grants=grants,
        policy=setup.preview_policy(grants, account.partition),
        is_preview=is_preview,
        setup=setup.describe_setup(account, settings().template_url),
    )


@blueprint.route("/<int:account_pk>/credentials", methods=["GET", "POST"])
@fresh
@requires(Role.CLIENT)
@commits
def credentials(account_pk: int) -> ResponseReturnValue:
    """Replace the role or the keys, of the same kind or of the other: a working account tests them first."""
    account = owned(account_pk)
    method = _method(account.connection_method)
    described = setup.describe_setup(account, settings().template_url)
    form = RoleForm(role_arn=expected_role_arn(account)) if method is ConnectionMethod.IAM_ROLE else KeysForm()
    if form.validate_on_submit():
        try:
            if method is ConnectionMethod.IAM_ROLE:
                connect.name_role(account, form.role_arn.data or "", actor=current_viewer())
            else:
                connect.replace_keys(account, **form_values(form), actor=current_viewer())
        except InvalidInputError as error:
            show_error(form, error)
        else:
            flash("AWS is being asked whether the new credentials hold.", "info")
            return to_account(account)
    page = render_template(
        "account/credentials.html",
        account=account,
        form=form,
        method=method,
        setup=described,
        policy=setup.preview_policy(grants_of(account), account.partition),
    )
    return page, 422 if form.errors else 200


@blueprint.post("/<int:account_pk>/credentials/withdraw")
@requires(Role.CLIENT)
@commits
def withdraw(account_pk: int) -> ResponseReturnValue:
    """Forget the credentials that were proposed; what the account works with is not touched."""
    account = owned(account_pk)
    connect.withdraw_candidate(account, actor=current_viewer())
    flash("The account goes on with the credentials that it has.", "ok")
    return to_account(account)


@blueprint.get("/<int:account_pk>/found")
@requires(Role.CLIENT)
def found(account_pk: int) -> str:
    """What is in the account, counted."""
    account = listing.get_account(current_viewer(), account_pk)
    return render_template(
        "account/found.html",
        account=account,
        is_owner=account.user_id == current_viewer().id,
        found=find_in(account),
        grants=grants_of(account),
        remedy_for=remedy_for,
    )


def _method(otherwise: ConnectionMethod) -> ConnectionMethod:
    return next((method for method in ConnectionMethod if method.value == request.values.get("method")), otherwise)


def _chosen() -> frozenset[Grant]:
    return parse_grants(request.form.getlist("allow"))


def _partition() -> str:
    name = request.values.get("partition", "aws")
    return name if name in PARTITIONS else "aws"
