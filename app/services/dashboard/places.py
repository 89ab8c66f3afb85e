"""Where instances are and what they are, from the counts that are kept of them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from app.models.instance import GONE
from app.services.instances.tallies import Tallies

#: States that an instance is in, or on its way to, when it is stopped.
STOPPED = frozenset({"stopped", "stopping"})


@dataclass(frozen=True, slots=True)
class Place:
    """How many instances are there (missing and terminated ones are not), by what they do."""

    region: str
    running: int
    spot: int
    """Of the running ones."""

    stopped: int
    other: int
    """Pending, shutting down, and whatever else AWS may say."""

    @property
    def total(self) -> int:
        return self.running + self.stopped + self.other


@dataclass(frozen=True, slots=True)
class Group:
    """Running instances of one family: `m5` for m5.large and m5.xlarge."""

    name: str
    count: int
    types: Sequence[str]
    """Those that occur, for a link that leads to them."""


def is_present(state: str) -> bool:
    """Whether an instance in this state is still there."""
    return state not in GONE


def list_places(tallies: Tallies) -> list[Place]:
    """Every region that has instances, the fullest first."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("running", "spot", "stopped", "other"), 0))
    at = {name: tallies.names.index(name) for name in ("region", "state", "lifecycle")}
    for row in tallies.rows:
        state, number = row[at["state"]], row[-1]
        if not is_present(state):
            continue
        found = counts[row[at["region"]]]
        found["running" if state == "running" else "stopped" if state in STOPPED else "other"] += number
        if state == "running" and row[at["lifecycle"]] == "spot":
            found["spot"] += number
    places = [Place(region, **found) for region, found in counts.items()]
    return sorted(places, key=lambda place: (-place.total, place.region))


def group_types(types: Tallies) -> list[Group]:
    """Every family among the counts by type, the most frequent first."""
    families: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for name, count in types.by("type"):
        families[name.partition(".")[0]].append((name, count))
    groups = [
        Group(family, sum(count for _, count in members), [name for name, _ in members])
        for family, members in families.items()
    ]
    return sorted(groups, key=lambda group: (-group.count, group.name))
