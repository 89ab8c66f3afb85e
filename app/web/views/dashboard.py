"""The first page: what the viewer's accounts and instances sum up to."""

from flask import Blueprint, render_template

from app.models.types import Role
from app.services.dashboard import summarize
from app.services.remedies import remedy_for
from app.web.access import current_viewer, requires, settings

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
@requires(Role.CLIENT)
def index() -> str:
    summary = summarize(current_viewer(), interval_seconds=settings().discovery_interval_seconds)
    return render_template("dashboard/index.html", summary=summary, remedy_for=remedy_for)
