"""Runs what is measured in processes of their own, and reads from the system what they took."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
KEPT_VARIABLES = frozenset({"PATH", "LANG", "LC_ALL", "TMPDIR", "TEST_POSTGRESQL_URL", "TEST_MARIADB_URL"})


@dataclass(frozen=True, slots=True)
class Measured:
    """One process from its start to its end."""

    cpu: float
    """Seconds, user and system."""

    wall: float
    """Seconds."""

    peak_mib: float
    """The most memory that it had at once."""

    said: Any
    """What it printed, as JSON, where that was asked for."""

    @classmethod
    def together(cls, one_by_one: Sequence["Measured"]) -> "Measured":
        """Several that ran one after the other, as if they were one."""
        return cls(
            sum(each.cpu for each in one_by_one),
            sum(each.wall for each in one_by_one),
            max(each.peak_mib for each in one_by_one),
            None,
        )


def run(command: Sequence[str | Path], environment: Mapping[str, str], *, is_json: bool = False) -> Measured:
    """Run a command to its end.

    `environment` is all that it sees, beside KEPT_VARIABLES. Exits when the command fails.
    """
    kept = {name: value for name, value in os.environ.items() if name in KEPT_VARIABLES}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [*map(str, command)], stdout=output, stderr=errors, env={**kept, **environment}, cwd=ROOT
        )
        # A child's peak is never below its parent's when it was made: whoever calls this must be smaller than it.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - began
        if process.returncode != 0:
            errors.seek(0)
            text = errors.read()[-4000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{text}")
        said = None
        if is_json:
            output.seek(0)
            said = json.loads(output.read())
    return Measured(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, said)


def run_probe(name: str, *arguments: str | Path, environment: Mapping[str, str]) -> Measured:
    """Run one of the probes of `benchmarks.probes`."""
    return run([sys.executable, "-m", "benchmarks.probes", name, *arguments], environment, is_json=True)
