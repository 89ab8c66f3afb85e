"""One instance's own page; it is one of the pages of `instances`, and shares their blueprint."""

import json
from typing import Any

from flask import render_template, request, session, url_for

from app.aws.formats import PARTITIONS
from app.models import Instance
from app.models.types import Role
from app.services.instances import listing
from app.services.instances.freshness import stale_before
from app.services.instances.timeline import list_timeline
from app.web.access import current_viewer, requires, settings
from app.web.views.instances import blueprint

__all__ = ["blueprint"]


@blueprint.get("/<int:instance_pk>")
@requires(Role.CLIENT)
def show(instance_pk: int) -> str:
    instance = listing.get_instance(current_viewer(), instance_pk)
    timeline = list_timeline(instance, request.args.get("cursor"))
    here: dict[str, Any] = {"instance_pk": instance.id, "_anchor": "timeline"}
    return render_template(
        "instance/show.html",
        instance=instance,
        facts=instance.instance_metadata,
        tags=sorted((instance.instance_metadata.get("Tags") or {}).items()),
        scan=listing.find_region_scan(instance),
        stale_before=stale_before(settings().discovery_interval_seconds),
        timeline=timeline,
        newer_url=timeline.previous and url_for("instances.show", cursor=timeline.previous, **here),
        older_url=timeline.next and url_for("instances.show", cursor=timeline.next, **here),
        console_url=_console_url(instance),
        raw=json.dumps(instance.instance_metadata, indent=2, ensure_ascii=False, sort_keys=True),
        may_authorize=current_viewer().can(Role.ADMIN),
        here=request.path,
        undo=session.pop("undo", None),
    )


def _console_url(instance: Instance) -> str | None:
    """The instance in AWS's own console; None in partitions whose console's address is not known."""
    host = PARTITIONS[instance.account.partition].console_host
    if host is None:
        return None
    return (
        f"https://{instance.region}.{host}/ec2/home?region={instance.region}"
        f"#InstanceDetails:instanceId={instance.instance_id}"
    )
