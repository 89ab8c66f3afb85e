"""`flask db`, as the operations manual has it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def flask(folder: Path, *words: str) -> str:
    """In a process of its own, with the entry point that people use."""
    result = subprocess.run(
        [sys.executable, "-m", "flask", *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "INSTANCE_PATH": os.fspath(folder), "SPOTKEEPER_ENV": "development"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


class TestTheSchema:
    def test_it_is_brought_up_to_date_from_the_shell_and_stays_there(self, tmp_path: Path) -> None:
        flask(tmp_path, "db", "upgrade")
        head = flask(tmp_path, "db", "heads").split()[0]
        assert flask(tmp_path, "db", "current").split()[0] == head
        flask(tmp_path, "db", "upgrade")
        flask(tmp_path, "db", "check")
