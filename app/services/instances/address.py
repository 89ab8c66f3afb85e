"""What the address of the list says: filters, order, columns. Read and written here alone, for the page, for whatever
acts on all that it shows, and for what is kept of it.

    /instances?state=running&-region=eu-west-1&tag=team=data&q=web-&sort=-launched&column=name&column=tag:team
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlencode

from app.errors import InvalidInputError
from app.models import User
from app.services.instances.columns import DEFAULT_SORT, parse_columns, parse_sort
from app.services.instances.filters import InstanceFilters, as_id
from app.services.instances.search import read_search, write_search

Params = Mapping[str, Sequence[str]]

#: More names than an address of ours ever has.
MAX_FIELDS = 1000

#: As the view of an address: none, also for who has a default.
EVERYTHING = 0

#: What nobody types and no page may hold: control characters, halves of surrogate pairs, what is no character.
_UNTYPABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAddress:
    """A list of instances, apart from which page of it is looked at."""

    filters: InstanceFilters = field(default_factory=InstanceFilters)
    sort: str = DEFAULT_SORT
    """A name of `columns.SORTS`, with a minus in front where it falls."""

    columns: tuple[str, ...] = ()
    """Empty: those that the viewer is used to."""

    view: int | None = None
    """`saved_views.id` of the view that it began with; EVERYTHING asks for none, whatever is one's default."""

    typed: str = ""
    """What stands in the search box."""

    error: str = ""
    """Why it cannot be read; a list with an error has no rows, for nobody has said which."""

    @classmethod
    def parse(cls, viewer: User, params: Params) -> "ListAddress":
        """Read it; `params` are an address's or a form's. Of what is no filter, order or column nothing is kept.

        What the search box says of states, tags and so on becomes the filter that it means.
        """
        name, is_descending = parse_sort("".join(params.get("sort", ())[:1]))
        typed = _UNTYPABLE.sub(" ", " ".join(params.get("q", ()))).strip()
        address = cls(
            filters=InstanceFilters.parse({**params, "q": (), "-q": ()}),
            sort=f"-{name}" if is_descending else name,
            columns=parse_columns(params.get("column", ())),
            view=as_id("".join(params.get("view", ())[:1])),
            typed=typed,
        )
        try:
            filters = read_search(viewer, typed, address.filters)
        except InvalidInputError as error:
            return replace(address, error=str(error))
        return replace(address, filters=filters, typed=write_search(filters))

    @classmethod
    def parse_query(cls, viewer: User, query: str) -> "ListAddress":
        """Read what `to_query` wrote, or anything else that stood behind a question mark."""
        return cls.parse(viewer, parse_qs(query, keep_blank_values=True, max_num_fields=MAX_FIELDS))

    def to_params(self) -> dict[str, list[str]]:
        """For `url_for`, hidden fields and what is stored; `parse` makes the same of it."""
        params = self.filters.to_params()
        params.pop("q", None)
        params.pop("-q", None)
        if self.typed:
            params["q"] = [self.typed]
        if self.sort != DEFAULT_SORT:
            params["sort"] = [self.sort]
        if self.columns:
            params["column"] = list(self.columns)
        if self.view is not None:
            params["view"] = [str(self.view)]
        return params

    def to_query(self) -> str:
        """What stands behind the question mark, without the view: for what is stored."""
        return urlencode(replace(self, view=None).to_params(), doseq=True)

    def with_filters(self, filters: InstanceFilters) -> "ListAddress":
        """The same list with other filters."""
        return replace(self, filters=filters, typed=self.typed if self.error else write_search(filters))

    def without(self, name: str, value: str, *, is_excluded: bool = False) -> "ListAddress":
        """The same list without one filter."""
        filters = self.filters
        if is_excluded:
            return self.with_filters(replace(filters, excluded=filters.excluded.without(name, value)))
        return self.with_filters(filters.without(name, value))

    def adding(self, name: str, value: str, *, is_excluded: bool = False) -> "ListAddress":
        """The same list with one more filter."""
        filters = self.filters
        if is_excluded:
            return self.with_filters(replace(filters, excluded=filters.excluded.adding(name, value)))
        return self.with_filters(filters.adding(name, value))
