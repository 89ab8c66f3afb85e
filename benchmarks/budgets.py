"""What discoveries and pages may cost, as ratios to what others take for the same in the same run, and how they are
judged."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """A ratio with its bounds. A missed gate fails the run; the goal is what we are after. None is no bound."""

    number: str
    quantity: str
    gate: float | None
    goal: float | None
    is_ceiling: bool = False
    """Whether less is better."""

    unit: str = "x"

    def holds(self, ratio: float, bound: float | None, guard: float = 1.0) -> bool:
        """Whether the ratio keeps the bound, if there is one; `guard` below 1 gives it room for a noisy machine."""
        if bound is None:
            return True
        return ratio <= bound / guard if self.is_ceiling else ratio >= bound * guard


BUDGETS = {
    "read": Budget("1", "read and normalise: instances a CPU second, to a bare boto3 paginator's", 5, 10),
    "first": Budget("2", "first discovery into SQLite: CPU of Cloud Custodian to ours", 5, 8),
    "first awscli": Budget("2", "the same: CPU of awscli to ours", None, None),
    "unchanged": Budget("3", "unchanged re-discovery: CPU of a bare boto3 paginator to ours", 12, 30),
    "rows": Budget("3", "rows of instances that it writes", 0, 0, is_ceiling=True, unit=""),
    "changed": Budget("4", "1% changed: CPU to that of unchanged", 1.5, 1.15, is_ceiling=True),
    "write sqlite": Budget("5", "bulk write on SQLite: rows a second to those of the ORM row by row", 8, 20),
    "write postgresql": Budget("5", "bulk write on PostgreSQL", 8, 50),
    "write mariadb": Budget("5", "bulk write on MariaDB", 8, 12),
    "growth": Budget("6", "peak memory of a first discovery, large fleet to small", 1.3, 1.1, is_ceiling=True),
    "memory": Budget("6", "peak memory of a first discovery to Cloud Custodian's", 0.5, 0.25, is_ceiling=True),
    "page admin": Budget("7", "first page of the list: time of Flask-Admin's to ours", 5, 10),
    "page datasette": Budget("7", "first page of the list: time of datasette's to ours", 4, 8),
    "late page": Budget("8", "page 1,000 of the list to the first", 1.5, 1.15, is_ceiling=True),
    "facets sqlite": Budget("9", "facets of the list: time of counting the rows to ours", 10, 100),
    "facets postgresql": Budget("9", "facets of the list: time of counting the rows to ours", 10, 25),
    "facets mariadb": Budget("9", "facets of the list: time of counting the rows to ours", 10, 40),
    "tag sqlite": Budget("10", "search for a tag, by name: time of searching the JSON to ours", 30, 300),
    "tag postgresql": Budget("10", "search for a tag, by name: time of searching the JSON to ours", 30, 50),
    "tag mariadb": Budget("10", "search for a tag, by name: time of searching the JSON to ours", 30, 100),
    "rate hello": Budget("11", "pages a CPU second of a worker, to a Flask hello-world's", 1 / 15, 1 / 8),
    "rate admin": Budget("11", "pages a CPU second of a worker, to Flask-Admin's", 8, 15),
    "worker": Budget("12", "unshared memory of a web worker", 70, 55, is_ceiling=True, unit=" MiB"),
    "start": Budget("13", "start to the first page, to importing Flask and SQLAlchemy", 2.0, 1.4, is_ceiling=True),
    "html": Budget("14", "HTML of a page of 50 rows", 60, 30, is_ceiling=True, unit=" kB"),
    "gzip": Budget("14", "the same as it is sent", 12, 6, is_ceiling=True, unit=" kB"),
}


@dataclass(frozen=True, slots=True)
class Result:
    """The median of a budget's ratios, one of each round."""

    budget: Budget
    ratios: Sequence[float]
    where: str = ""
    """The database, where several are measured."""

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)

    def verdict(self, guard: float) -> str:
        if self.budget.gate is None:
            return ""
        if self.budget.holds(self.median, self.budget.goal):
            return "goal"
        if self.budget.holds(self.median, self.budget.gate):
            return "gate"
        return "within the guard" if self.holds(guard) else "MISSED"

    def holds(self, guard: float) -> bool:
        return self.budget.holds(self.median, self.budget.gate, guard)


def ratios(above: Iterable[float], below: Iterable[float]) -> list[float]:
    """Round by round, so that what slows the machine for a while slows both."""
    return [one / other for one, other in zip(above, below, strict=True)]


def print_results(results: Sequence[Result], guard: float) -> None:
    """A table in Markdown, so that it can be pasted."""
    print("\n| # | quantity | gate | goal | measured | (lowest to highest) | |")
    print("|---|---|---|---|---|---|---|")
    for result in results:
        budget = result.budget
        gate, goal, median, low, high = (
            "" if value is None else f"{value:.3g}{budget.unit}"
            for value in (budget.gate, budget.goal, result.median, min(result.ratios), max(result.ratios))
        )
        where = f", {result.where}" if result.where else ""
        print(
            f"| {budget.number} | {budget.quantity}{where} | {gate} | {goal} | **{median}** | {low} to {high} "
            f"| {result.verdict(guard)} |"
        )
