"""Taking the list of instances away as a file."""

from dataclasses import replace

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.database import db
from app.errors import InvalidInputError
from app.models import User
from app.models.types import ExportFormat, Role
from app.services.exports import export as exports
from app.services.instances import listing
from app.services.instances.address import ListAddress
from app.web.access import current_viewer, requires
from app.web.downloads import stream_file

blueprint = Blueprint("exports", __name__, url_prefix="/instances/export")

#: Media type, and how such files end.
KINDS = {
    ExportFormat.CSV: ("text/csv; charset=utf-8", "csv"),
    ExportFormat.JSON_LINES: ("application/x-ndjson", "jsonl"),
    ExportFormat.XLSX: ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
}


@blueprint.get("")
@requires(Role.CLIENT)
def new() -> str:
    """What would be exported, and as what."""
    return _page(ListAddress.parse(current_viewer(), request.args.to_dict(flat=False)))


@blueprint.post("")
@requires(Role.CLIENT)
def create() -> ResponseReturnValue:
    """The file. It is made while it is sent."""
    viewer = current_viewer()
    address = ListAddress.parse(viewer, request.form.to_dict(flat=False))
    if request.form.get("all_columns"):
        address = replace(address, columns=())
    try:
        format = ExportFormat(request.form.get("format", ""))
        file = exports.begin_export(viewer, address, format)
    except ValueError:
        return _page(address, "Choose a format."), 422
    except InvalidInputError as error:
        return _page(address, str(error)), 422
    db.session.commit()
    media_type, ending = KINDS[format]
    return stream_file(file.chunks(), "instances", ending, media_type)


@blueprint.get("/latest")
@requires(Role.CLIENT)
def latest() -> str:
    """How far the viewer's exports are: the part of the page that is asked for again while one runs."""
    return render_template("export/_latest.html", **_latest(current_viewer()))


def _page(address: ListAddress, error: str = "") -> str:
    viewer = current_viewer()
    total, is_capped = (0, False) if address.error else listing.count_instances(viewer, address.filters)
    return render_template(
        "export/new.html",
        address=address,
        error=error,
        total=total,
        is_capped=is_capped,
        chosen=request.form.get("format", ExportFormat.CSV.value),
        back_url=url_for("instances.index", **address.to_params()),  # type: ignore[arg-type]  # lists are taken, too
        **_latest(viewer),
    )


def _latest(viewer: User) -> dict[str, object]:
    latest = exports.list_latest_exports(viewer)
    return {"latest": latest, "under_way": {export.id for export in latest if exports.is_under_way(export)}}
