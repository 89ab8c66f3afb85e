"""The first page: what the viewer's accounts and instances sum up to."""

from flask import Blueprint, render_template

from app.models.types import Role
from app.services.dashboard import summarize
from app.services.remedies import remedy_for
from app.web.access import current_viewer, requires

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
@requires(Role.CLIENT)
def index() -> str:
    return render_template("dashboard/index.html", summary=summarize(current_viewer()), remedy_for=remedy_for)
