"""One instance's own page; it is one of the pages of `instances`, and shares their blueprint."""

import json
from typing import Any

from flask import Response, render_template, request, session, url_for

from app.aws.formats import PARTITIONS
from app.models import Instance
from app.models.types import Role
from app.services.instances import listing, logs
from app.services.instances.facts import facts_of, imds_remedy
from app.services.instances.freshness import stale_before
from app.services.instances.state_reasons import explain
from app.services.instances.timeline import LABELS, list_timeline
from app.services.rules.explain import explain_status
from app.web.access import current_viewer, requires, settings
from app.web.views.instances import blueprint

__all__ = ["blueprint"]


@blueprint.get("/<int:instance_pk>")
@requires(Role.CLIENT)
def show(instance_pk: int) -> str:
    instance = listing.get_instance(current_viewer(), instance_pk)
    field = request.args.get("field", "")
    timeline = list_timeline(instance, request.args.get("cursor"), field=field if field in LABELS else None)
    here: dict[str, Any] = {"instance_pk": instance.id, "field": field or None, "_anchor": "timeline"}
    facts = facts_of(instance)
    return render_template(
        "instance/show.html",
        instance=instance,
        facts=facts,
        tags=sorted((facts.rest.get("Tags") or {}).items()),
        imds_remedy=imds_remedy(instance),
        why=explain_status(current_viewer(), instance),
        reason=explain(instance.state_reason_code),
        scan=listing.find_region_scan(instance),
        stale_before=stale_before(settings().discovery_interval_seconds),
        timeline=timeline,
        field=field,
        fields=list(LABELS.items()),
        newer_url=timeline.previous and url_for("instances.show", cursor=timeline.previous, **here),
        older_url=timeline.next and url_for("instances.show", cursor=timeline.next, **here),
        decisions=logs.list_decisions(instance),
        downtime=logs.list_downtime(instance),
        most_logs=logs.SHOWN,
        console_url=_console_url(instance),
        raw=_raw(instance),
        may_authorize=current_viewer().can(Role.ADMIN),
        here=request.path,
        undo=session.pop("undo", None),
    )


@blueprint.get("/<int:instance_pk>/json")
@requires(Role.CLIENT)
def download(instance_pk: int) -> Response:
    """What AWS last said of it, as a file."""
    instance = listing.get_instance(current_viewer(), instance_pk)
    # EC2's ids are letters, digits and hyphens; anybody's text does not belong into a header.
    name = "".join(each for each in instance.instance_id if each.isascii() and (each.isalnum() or each == "-"))
    headers = {"Content-Disposition": f'attachment; filename="{name}.json"'}
    return Response(_raw(instance) + "\n", mimetype="application/json", headers=headers)


def _raw(instance: Instance) -> str:
    return json.dumps(instance.instance_metadata, indent=2, ensure_ascii=False, sort_keys=True)


def _console_url(instance: Instance) -> str | None:
    """The instance in AWS's own console; None in partitions whose console's address is not known."""
    host = PARTITIONS[instance.account.partition].console_host
    if host is None:
        return None
    return (
        f"https://{instance.region}.{host}/ec2/home?region={instance.region}"
        f"#InstanceDetails:instanceId={instance.instance_id}"
    )
