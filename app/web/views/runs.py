"""Pages about what was done for an account: its verifications and discoveries, one of them, and stopping one."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.database import commits
from app.errors import ConflictError
from app.models.types import Role
from app.services.accounts import connect, listing
from app.services.instances.timeline import list_run_changes
from app.services.remedies import remedy_for
from app.services.runs.listing import get_account_run, list_account_runs
from app.web.access import current_viewer, requires

blueprint = Blueprint("runs", __name__, url_prefix="/accounts/<int:account_pk>/runs")


@blueprint.get("")
@requires(Role.CLIENT)
def index(account_pk: int) -> str:
    account = listing.get_account(current_viewer(), account_pk)
    page = list_account_runs(account, request.args.get("cursor"))
    here: dict[str, Any] = {"account_pk": account.id}
    return render_template(
        "run/index.html",
        account=account,
        page=page,
        remedy_for=remedy_for,
        next_url=page.next and url_for("runs.index", **here, cursor=page.next),
        previous_url=page.previous and url_for("runs.index", **here, cursor=page.previous),
    )


@blueprint.get("/<int:run_id>")
@requires(Role.CLIENT)
def show(account_pk: int, run_id: int) -> str:
    account = listing.get_account(current_viewer(), account_pk)
    row = get_account_run(account, run_id)
    changes, total, is_capped = list_run_changes(row.run)
    return render_template(
        "run/show.html",
        account=account,
        row=row,
        run=row.run,
        changes=changes,
        total=total,
        is_capped=is_capped,
        remedy_for=remedy_for,
    )


@blueprint.post("/<int:run_id>/cancel")
@requires(Role.CLIENT)
@commits
def cancel(account_pk: int, run_id: int) -> ResponseReturnValue:
    account = listing.get_account(current_viewer(), account_pk)
    run = get_account_run(account, run_id).run
    try:
        connect.cancel_work(account, run, actor=current_viewer())
    except ConflictError:
        flash("It was over already: there was nothing left to cancel.", "info")
    else:
        flash("Canceled. What was read until then stays; the next discovery reads the rest.", "ok")
    return redirect(url_for("accounts.show", account_pk=account.id), 303)
