"""The first page: what the viewer's accounts and instances sum up to, and who needs somebody."""

from flask import Blueprint, render_template

from app.models.types import Role
from app.services.dashboard.summary import summarize
from app.services.installation import examine_installation
from app.services.remedies import remedy_for
from app.web.access import current_viewer, requires, settings

blueprint = Blueprint("dashboard", __name__)

#: Of a bar chart only the longest bars are shown.
MOST_BARS = 8


@blueprint.get("/")
@requires(Role.CLIENT)
def index() -> str:
    viewer = current_viewer()
    summary = summarize(
        viewer,
        interval_seconds=settings().discovery_interval_seconds,
        calls_per_hour=settings().aws_calls_per_hour,
    )
    return render_template(
        "dashboard/index.html",
        summary=summary,
        installation=examine_installation(viewer) if viewer.can(Role.ADMIN) else None,
        remedy_for=remedy_for,
        most_bars=MOST_BARS,
    )
