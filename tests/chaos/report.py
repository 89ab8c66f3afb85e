"""Tables of what was done and what was seen."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

#: More of them would tell nothing new.
SHOWN_PROBLEMS = 10


@dataclass
class Table:
    """One kind of mistreatment. A row is a case; `problems` is empty where all went as it must."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, row: Sequence[object], problems: Sequence[str] = ()) -> None:
        """Note a case, and say at once that it is over: the next may take minutes."""
        self.rows.append(row)
        self.problems += problems
        print(" / ".join(str(cell) for cell in row), file=sys.stderr, flush=True)
        for problem in problems:
            print(f"  {problem}", file=sys.stderr, flush=True)

    def print(self) -> None:
        texts = [[str(cell) for cell in row] for row in (self.columns, *self.rows)]
        widths = [max(len(row[place]) for row in texts) for place in range(len(self.columns))]
        print(f"\n{self.title}\n", flush=True)
        for number, row in enumerate(texts):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        for note in self.notes:
            print(f"note: {note}")
        for problem in self.problems[:SHOWN_PROBLEMS]:
            print(f"PROBLEM: {problem}")
        if len(self.problems) > SHOWN_PROBLEMS:
            print(f"PROBLEM: ... and {len(self.problems) - SHOWN_PROBLEMS} more")
        print(flush=True)


def spread(seconds: Sequence[float]) -> str:
    """The median and the most."""
    if not seconds:
        return "-"
    ordered = sorted(seconds)
    return f"{ordered[len(ordered) // 2]:.1f} / {ordered[-1]:.1f} s"
