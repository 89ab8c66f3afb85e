"""One instance at two moments, side by side."""

from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request

from app.errors import InvalidInputError
from app.models.mixins import utc_now
from app.models.types import Role
from app.services.instances import listing
from app.services.instances.comparison import UNTRACKED, check_moment, compare, earliest_moment
from app.web.access import current_viewer, requires, settings
from app.web.arguments import moment

blueprint = Blueprint("instance_comparison", __name__, url_prefix="/instances/<int:instance_pk>/compare")


@blueprint.get("")
@requires(Role.CLIENT)
def show(instance_pk: int) -> str:
    instance = listing.get_instance(current_viewer(), instance_pk)
    earliest = max(earliest_moment(settings().history_days), instance.first_seen_at)
    errors: dict[str, str] = {}
    first = _asked_for("from", errors) or earliest
    second = _asked_for("to", errors) or utc_now()
    found: Any = None
    if not errors:
        first, second = sorted((first, second))
        found = compare(instance, first, second)
    return render_template(
        "instance/comparison.html",
        instance=instance,
        first=first,
        second=second,
        found=found,
        errors=errors,
        typed={name: request.args.get(name, "") for name in ("from", "to")},
        untracked=UNTRACKED,
    )


def _asked_for(name: str, errors: dict[str, str]) -> datetime | None:
    try:
        asked = moment(name)
        return asked and check_moment(asked, settings().history_days, field=name)
    except InvalidInputError as error:
        errors[name] = str(error)
        return None
