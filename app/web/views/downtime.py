"""Intervals of downtime."""

from typing import Any

from flask import Blueprint, render_template, request, url_for

from app.models.types import DowntimeCause, Role
from app.services.downtime import list_downtime
from app.services.instances.listing import list_account_choices
from app.web.access import current_viewer, requires
from app.web.arguments import number, one_of

blueprint = Blueprint("downtime", __name__, url_prefix="/downtime")


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> str:
    viewer = current_viewer()
    account, cause = number("account"), one_of(DowntimeCause, "cause")
    page = list_downtime(viewer, account_pk=account, cause=cause, cursor=request.args.get("cursor"))
    kept: dict[str, Any] = {"account": account, "cause": cause.value if cause else None}
    return render_template(
        "downtime/index.html",
        page=page,
        kept=kept,
        accounts=list_account_choices(viewer),
        causes=[(cause.value, cause.value.replace("_", " ")) for cause in DowntimeCause],
        next_url=page.next and url_for("downtime.index", **kept, cursor=page.next),
        previous_url=page.previous and url_for("downtime.index", **kept, cursor=page.previous),
    )
