"""One instance at two moments, side by side."""

from typing import Any

from flask import Blueprint, render_template

from app.models.mixins import utc_now
from app.models.types import Role
from app.services.instances import listing
from app.services.instances.comparison import UNTRACKED, compare, earliest_moment
from app.web.access import current_viewer, requires, settings
from app.web.arguments import asked_moment

blueprint = Blueprint("instance_comparison", __name__, url_prefix="/instances/<int:instance_pk>/compare")


@blueprint.get("")
@requires(Role.CLIENT)
def show(instance_pk: int) -> str:
    instance = listing.get_instance(current_viewer(), instance_pk)
    earliest = max(earliest_moment(settings().history_days), instance.first_seen_at)
    days = settings().history_days
    asked_first, asked_second = asked_moment("from", days), asked_moment("to", days)
    first, second = asked_first.usable or earliest, asked_second.usable or utc_now()
    found: Any = None
    if not asked_first.error and not asked_second.error:
        first, second = sorted((first, second))
        found = compare(instance, first, second)
    return render_template(
        "instance/comparison.html",
        instance=instance,
        first=first,
        second=second,
        found=found,
        asked_first=asked_first,
        asked_second=asked_second,
        untracked=UNTRACKED,
    )
