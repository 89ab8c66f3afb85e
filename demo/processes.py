"""The processes that the demo starts, and how it stops them: those and no others."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

STOP_SECONDS = 25


@dataclass(slots=True)
class Processes:
    """Each child has a process group of its own, so that its children end with it; output goes to a log file."""

    logs: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _files: list[IO[bytes]] = field(default_factory=list)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        log = (self.logs / f"{name}.log").open("wb")
        self._files.append(log)
        self._running[name] = subprocess.Popen(
            argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )

    def find_dead(self) -> str | None:
        """The name of a process that ended by itself, with the end of what it said; None while all run."""
        for name, process in self._running.items():
            if process.poll() is not None:
                lines = (self.logs / f"{name}.log").read_text(errors="replace").strip().splitlines()
                said = lines[-1] if lines else "nothing was said"
                return f"the {name} ended with code {process.returncode}: {said} (see {self.logs / name}.log)"
        return None

    def stop(self) -> None:
        """Ask all to end, wait, and end by force what did not."""
        for process in self._running.values():
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                _signal(process, signal.SIGKILL)
                process.wait()
        self._running.clear()
        for log in self._files:
            log.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
