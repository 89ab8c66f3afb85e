"""What a measurement was made on: without it, figures say nothing."""

import importlib.metadata
import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

OURS = ("boto3", "lxml", "SQLAlchemy")
#: By the name of each, what it says first about itself.
PEERS = {"Cloud Custodian": ("custodian", "version"), "awscli": ("aws", "--version")}


def print_machine(peers: Path, databases: dict[str, str]) -> None:
    """Date, machine and versions; `peers` is the folder of the others' commands, `databases` the servers' versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}; {platform.system()} {platform.release()}")
    versions = [("Python", platform.python_version()), *((name, importlib.metadata.version(name)) for name in OURS)]
    versions += [("SQLite", sqlite3.sqlite_version), *databases.items()]
    versions += [(name, _version(peers / command, argument)) for name, (command, argument) in PEERS.items()]
    print(", ".join(f"{name} {version}" for name, version in versions if version))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(command: Path, argument: str) -> str:
    if not command.exists():
        return ""
    said = subprocess.run([command, argument], capture_output=True, text=True, check=True).stdout
    return said.split()[0].rpartition("/")[2]
