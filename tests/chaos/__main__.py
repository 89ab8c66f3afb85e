"""`python -m tests.chaos [faults] [kills] ...`: mistreat installations, print tables, exit with 1 on any fault."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from _pytest.outcomes import Skipped

from tests.chaos import brokers, fairness, faults, frozen, full, hosts, kills, past, scarce, soak, stops, vanish, writes
from tests.chaos.report import Table
from tests.databases import Databases

Part = Callable[[Databases, Path, int], Table]

PARTS: dict[str, Part] = {
    "faults": faults.run,
    "kills": kills.run,
    "history": past.run,
    "brokers": brokers.run,
    "databases": frozen.run,
    "writes": writes.run,
    "full": full.run,
    "scarce": scarce.run,
    "vanish": vanish.run,
    "soak": soak.run,
    "stops": stops.run,
    "hosts": hosts.run,
    "fairness": fairness.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless named")
    parser.add_argument("--count", type=int, default=int(os.environ.get("CHAOS_N", "50")), help="how often (CHAOS_N)")
    options = parser.parse_args()
    if unknown := set(options.parts) - PARTS.keys():
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    problems = 0
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix=f"chaos-{name}-") as folder:
            began_at = time.monotonic()
            databases = Databases(Path(folder))
            try:
                table = PARTS[name](databases, Path(folder), options.count)
            except Skipped as skipped:
                table = Table(name, ("skipped",), [(str(skipped),)])
            finally:
                databases.close()
        table.notes.append(f"{name} took {time.monotonic() - began_at:.0f} s")
        table.print()
        problems += len(table.problems)
    print(f"{problems} problems" if problems else "No problem", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
