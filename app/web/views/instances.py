"""Pages about the list of instances: the list, what it can be narrowed by, how it is looked at.

One instance's own page is in `instance`, authorizing in `instance_authorization`; they share this blueprint.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from app.aws.formats import PARTITIONS
from app.models import User
from app.models.types import Role
from app.services.instances import listing
from app.services.instances.address import EVERYTHING, ListAddress
from app.services.instances.columns import (
    COLUMNS,
    DEFAULT_COLUMNS,
    MAX_TAG_COLUMNS,
    SORTS,
    label_of,
    parse_sort,
    tag_keys,
)
from app.services.instances.facets import FACETS, account_names, count_matching, list_facets
from app.services.instances.freshness import find_freshness
from app.services.paging import COUNT_CAP, Page
from app.services.saved_views import find_default_view, find_view
from app.web.access import current_viewer, is_partial_request, requires, settings
from app.web.addresses import local_path
from app.web.filters import plural
from app.web.instance_display import DENSITIES, SIZES, Display, current_display

blueprint = Blueprint("instances", __name__, url_prefix="/instances")

#: What each filter is called on the page, and before a colon in the search box.
FILTER_NAMES = {
    "account": "Account",
    "region": "Region",
    "state": "State",
    "lifecycle": "Lifecycle",
    "auth_status": "Authorization",
    "type": "Type",
    "tag": "Tag",
    "q": "Search",
}
FILTER_WORDS = {"auth_status": "auth"}


@blueprint.get("")
@requires(Role.CLIENT)
def index() -> ResponseReturnValue:
    viewer = current_viewer()
    if not request.args and (chosen := find_default_view(viewer)) is not None:
        return redirect(url_for("saved_views.show", view_id=chosen.id))
    address, display = current_address(), current_display()
    columns = address.columns or display.columns
    page = _find_page(viewer, address, columns, display.size)
    chips = list(_chips(viewer, address, has_counts=not page.items))
    return render_template(
        "instance/index.html",
        page=page,
        address=address,
        filters=address.filters,
        chips=chips,
        facets=list(_facet_buttons(address)),
        filters_url=list_url(address, "instances.filters"),
        display_url=list_url(address, "instances.choose_display"),
        clear_url=list_url(replace(address.with_filters(type(address.filters)()), view=EVERYTHING)),
        views_url=list_url(address, "saved_views.choose"),
        view=find_view(viewer, address.view) if address.view else None,
        export_url=list_url(replace(address, columns=columns), "exports.new"),
        matching_url=list_url(address, "instances.choose_matching"),
        display=display,
        columns=columns,
        has_name="name" in columns,
        is_wide=columns != DEFAULT_COLUMNS,
        labels={name: label_of(name) for name in columns},
        tags=listing.find_tags([row.id for row in page.items], tag_keys(columns)),
        consoles={name: partition.console_host for name, partition in PARTITIONS.items()},
        has_accounts=bool(page.items) or listing.has_accounts(viewer),
        freshness=find_freshness(viewer, address.filters, interval_seconds=settings().discovery_interval_seconds),
        count_text=_count_text(page),
        shown_text=f"{len(page.items):,} shown of {_count_text(page)}",
        sorts=dict(_sorts(address)),
        next_url=page.next and list_url(address, cursor=page.next),
        previous_url=page.previous and list_url(address, cursor=page.previous),
        first_url=page.previous and list_url(address),
        may_authorize=viewer.can(Role.ADMIN),
        here=request.full_path.rstrip("?"),
        undo=session.pop("undo", None),
    )


@blueprint.get("/filters")
@requires(Role.CLIENT)
def filters() -> str:
    """The values of one facet, or of all where none is named."""
    viewer, address = current_viewer(), current_address()
    names = [name for name in FACETS if name == request.args.get("facet")] or FACETS
    facets = list_facets(viewer, address.filters, names)
    cleared = replace(
        address.filters,
        excluded=replace(address.filters.excluded, **dict.fromkeys(names, ())),
        **dict.fromkeys(names, ()),
    )
    rest = address.with_filters(cleared)
    return render_template(
        "instance/filters.html",
        layout=layout_asked_for(),
        facets=[
            {
                "name": facet.name,
                "label": FILTER_NAMES[facet.name],
                "word": FILTER_WORDS.get(facet.name, facet.name),
                "options": facet.values,
                "is_cut": facet.is_cut,
                "is_capped": facet.is_capped,
                "wanted": getattr(address.filters, facet.name),
                "unwanted": getattr(address.filters.excluded, facet.name),
            }
            for facet in facets
        ],
        count_cap=COUNT_CAP,
        hidden=[(name, value) for name, values in rest.to_params().items() for value in values],
        clear_url=list_url(rest),
        list_url=list_url(address),
    )


@blueprint.get("/display")
@requires(Role.CLIENT)
def choose_display() -> str:
    address, display = current_address(), current_display()
    columns = address.columns or display.columns
    return render_template(
        "instance/display.html",
        layout=layout_asked_for(),
        display=display,
        columns=columns,
        every_column=COLUMNS.values(),
        tags=", ".join(tag_keys(columns)),
        max_tags=MAX_TAG_COLUMNS,
        densities=DENSITIES,
        sizes=SIZES,
        # What is chosen here shall be seen, whatever columns the address named before.
        list_url=list_url(replace(address, columns=())),
    )


@blueprint.post("/display")
@requires(Role.CLIENT)
def display() -> ResponseReturnValue:
    """Keep it in this browser."""
    chosen = Display() if "reset" in request.form else Display.parse(request.form.to_dict(flat=False))
    response = make_response(redirect(local_path(request.form.get("next"), url_for("instances.index")), 303))
    chosen.remember(response)
    return response


def current_address() -> ListAddress:
    """The list that this request's address names."""
    return ListAddress.parse(current_viewer(), request.args.to_dict(flat=False))


def list_url(address: ListAddress, endpoint: str = "instances.index", **more: str) -> str:
    """The address of that list, or of another page about it."""
    return url_for(endpoint, **address.to_params(), **more)  # type: ignore[arg-type]  # lists are taken, too


def chips_of(viewer: User, address: ListAddress) -> list[dict[str, Any]]:
    """What the list is filtered by, as chips: label, is_excluded, remove_url, flip_url, count (None: not counted)."""
    return list(_chips(viewer, address, has_counts=False))


def _find_page(viewer: User, address: ListAddress, columns: tuple[str, ...], size: int) -> Page[Any]:
    if address.error:
        return Page((), 0, False, None, None)
    cursor = request.args.get("cursor")
    return listing.list_instances(viewer, address.filters, sort=address.sort, columns=columns, cursor=cursor, size=size)


def _chips(viewer: User, address: ListAddress, *, has_counts: bool) -> Iterator[dict[str, Any]]:
    """With counts each says how many instances there would be without it."""
    names = account_names(viewer, address.filters)
    for is_excluded, criteria in ((False, address.filters), (True, address.filters.excluded)):
        for name, value in criteria.pairs():
            shown = names.get(value, value) if name == "account" else value
            rest = address.without(name, value, is_excluded=is_excluded)
            yield {
                "label": f"{FILTER_NAMES[name]}{' not' if is_excluded else ''}: {shown}",
                "is_excluded": is_excluded,
                "remove_url": list_url(rest),
                "flip_url": list_url(rest.adding(name, value, is_excluded=not is_excluded)),
                "count": count_matching(viewer, rest.filters) if has_counts else None,
            }


def _facet_buttons(address: ListAddress) -> Iterator[dict[str, Any]]:
    for name in FACETS:
        yield {
            "label": FILTER_NAMES[name],
            "url": list_url(address, "instances.filters", facet=name),
            "chosen": len(getattr(address.filters, name)) + len(getattr(address.filters.excluded, name)),
        }


def _sorts(address: ListAddress) -> Iterator[tuple[str, tuple[str, str | None]]]:
    """For each sort the address that sorts by it, or turns it round, and the direction it has now."""
    current, is_descending = parse_sort(address.sort)
    for name in SORTS:
        direction = None if name != current else "desc" if is_descending else "asc"
        yield name, (list_url(replace(address, sort=f"-{name}" if direction == "asc" else name)), direction)


def _count_text(page: Page[Any]) -> str:
    return f"{COUNT_CAP:,}+ instances" if page.is_total_capped else plural(page.total, "instance")


def layout_asked_for() -> str:
    """The whole page, or what a sheet shows of it."""
    return "layouts/part.html" if is_partial_request() else "layouts/app.html"
