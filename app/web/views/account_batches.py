"""Connecting many accounts at once: a pasted list, what became of each line, and one template for all the roles."""

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.aws.formats import PARTITIONS
from app.aws.grants import DEFAULT_GRANTS, parse_grants
from app.aws.stack_set import TEMPLATE_FILE_NAME
from app.database import commits
from app.errors import ConflictError, NotFoundError
from app.models.types import Role
from app.services.accounts import many, setup
from app.services.accounts.account_list import MOST_LINES, read_list
from app.services.accounts.listing import list_batch_accounts
from app.services.identity import can_assume_roles
from app.services.remedies import remedy_for
from app.services.runs.listing import RunRow
from app.web.access import current_viewer, requires
from app.web.forms.accounts import ListForm

blueprint = Blueprint("account_batches", __name__, url_prefix="/accounts/many")


@blueprint.route("", methods=["GET", "POST"])
@requires(Role.CLIENT)
@commits
def new() -> ResponseReturnValue:
    """Paste a list. What is good in it is entered, and what is not is kept beside it with the reason."""
    form = ListForm()
    grants = DEFAULT_GRANTS if request.method == "GET" else parse_grants(request.form.getlist("allow"))
    if "preview" not in request.form and form.validate_on_submit():
        good, bad = read_list(form.accounts.data or "", form.partition.data or "aws")
        if good:
            batch = many.connect_many(current_viewer(), good, bad, grants=grants)
            return redirect(url_for("account_batches.show", batch_id=batch.id), 303)
        form.accounts.errors = [f"Line {line.number}: {line.reason}" for line in bad] or ["There is no account in it."]
    page = render_template(
        "account_batch/new.html",
        form=form,
        grants=grants,
        most=MOST_LINES,
        can_assume=can_assume_roles(),
        policy=setup.preview_policy(grants, form.partition.data or "aws"),
        batches=many.list_batches(current_viewer()),
    )
    return page, 422 if form.errors else 200


@blueprint.get("/<int:batch_id>")
@requires(Role.CLIENT)
def show(batch_id: int) -> str:
    context = _context(batch_id)
    form = ListForm(formdata=None, accounts="\n".join(line["text"] for line in context["batch"].refused_lines))
    return render_template("account_batch/show.html", **context, form=form, titles=PARTITIONS)


@blueprint.get("/<int:batch_id>/table")
@requires(Role.CLIENT)
def table(batch_id: int) -> str:
    """The accounts alone, for renewing them while they are looked for."""
    return render_template("account_batch/_table.html", **_context(batch_id))


def _context(batch_id: int) -> dict[str, Any]:
    batch = many.get_batch(current_viewer(), batch_id)
    rows = list_batch_accounts(batch)
    return {
        "batch": batch,
        "rows": [(row.account, row.run and RunRow(row.run)) for row in rows],
        "is_busy": any(row.run for row in rows),
        "connected": sum(row.account.is_working for row in rows),
        "to_retest": sum(many.is_to_retest(row.account, row.run) for row in rows),
        "setups": many.describe_batch(batch, rows),
        "remedy_for": remedy_for,
    }


@blueprint.post("/<int:batch_id>/retest")
@requires(Role.CLIENT)
@commits
def retest(batch_id: int) -> ResponseReturnValue:
    batch = many.get_batch(current_viewer(), batch_id)
    count = many.retest(batch, actor=current_viewer())
    flash(
        "AWS is being asked again about those that did not connect." if count else "There is none to ask about.", "info"
    )
    return redirect(url_for("account_batches.show", batch_id=batch.id), 303)


@blueprint.get("/<int:batch_id>/<partition>.yaml")
@requires(Role.CLIENT)
def template(batch_id: int, partition: str) -> ResponseReturnValue:
    """The template that makes the roles of the list's accounts in one partition, with their External IDs."""
    batch = many.get_batch(current_viewer(), batch_id)
    if not can_assume_roles():
        raise ConflictError("This installation has no AWS identity yet, so there is no template to give.")
    found = [each for each in many.describe_batch(batch, list_batch_accounts(batch)) if each.partition == partition]
    if not found:
        raise NotFoundError("There is nothing to make there.")
    return Response(
        found[0].template,
        mimetype="application/yaml",
        headers={"Content-Disposition": f'attachment; filename="{TEMPLATE_FILE_NAME}"'},
    )
