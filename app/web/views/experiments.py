"""The history of decisions."""

from typing import Any

from flask import Blueprint, render_template, request, url_for

from app.models.types import Decision, Role
from app.services.experiments import list_experiments
from app.services.instances.listing import list_account_choices
from app.web.access import current_viewer, requires
from app.web.arguments import number, one_of

blueprint = Blueprint("experiments", __name__, url_prefix="/experiments")


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    viewer = current_viewer()
    account, decision = number("account"), one_of(Decision, "decision")
    page = list_experiments(viewer, account_pk=account, decision=decision, cursor=request.args.get("cursor"))
    kept: dict[str, Any] = {"account": account, "decision": decision.value if decision else None}
    return render_template(
        "experiment/index.html",
        page=page,
        kept=kept,
        accounts=list_account_choices(viewer),
        decisions=[(decision.value, decision.value) for decision in Decision],
        next_url=page.next and url_for("experiments.index", **kept, cursor=page.next),
        previous_url=page.previous and url_for("experiments.index", **kept, cursor=page.previous),
    )
