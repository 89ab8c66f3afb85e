"""What discovering a fleet costs, as ratios to what others take for the same fleet in the same run.

    make bench           # 10,000 instances, and 50,000
    make bench-small     # a few thousand, once, in half a minute, with a guard band for noisy machines: what CI runs
    python -m benchmarks.discovery --help

A server in a process of its own plays AWS (`ec2_server`). In every round each of those measured reads the whole fleet
from it, one after the other, each in a process of its own; a ratio is the median of the rounds'. Cloud Custodian and
awscli are measured where `make bench` could install them, and not in the small run, in which their start would be most
of what they take. Exits with 1 when a gate is missed.
"""

import argparse
import itertools
import os
import shutil
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.budgets import BUDGETS, Result, print_results, ratios
from benchmarks.ec2_fleet import Fleet
from benchmarks.ec2_server import Served, served
from benchmarks.machine import print_machine
from benchmarks.processes import ROOT, Measured, run, run_probe

PEERS = ROOT / ".venv-peers" / "bin"
KINDS = ("sqlite", "postgresql", "mariadb")

#: No filter and no action: what Custodian does for it is to read the fleet, and to write it to a file.
POLICY = "policies:\n  - name: fleet\n    resource: aws.ec2\n"

#: A quarter of room for machines that do other things meanwhile.
GUARD = 0.75


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, help="10,000, or 3,000 when small")
    parser.add_argument("--large", type=int, help="the fleet of budgets 3, 4 and 6: five times as many, or twice")
    parser.add_argument("--regions", type=int, help="4, or 2 when small")
    parser.add_argument("--rounds", type=int, help="3, or 1 when small")
    parser.add_argument("--database", action="append", choices=KINDS, help="may be repeated; else all that answer")
    parser.add_argument("--small", action="store_true", help="what CI runs: a small fleet, and a guard band")
    options = parser.parse_args()
    instances = options.instances or (3_000 if options.small else 10_000)
    fleet = Fleet(instances=instances, regions=options.regions or (2 if options.small else 4))
    large = replace(fleet, instances=options.large or instances * (2 if options.small else 5))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {each: stack.enter_context(served(each)) for each in (fleet, large)}
        bench = Bench(Path(folder), options.rounds or (1 if options.small else 3), has_peers=not options.small)
        kinds = [kind for kind in options.database or KINDS if bench.answers(kind)]
        # Servers take time: when that is short, they are only written to.
        discovered = [kind for kind in kinds if kind == "sqlite" or options.database or not options.small]
        bench.measure_first(fleet, servers[fleet], large, servers[large], discovered)
        again = fleet if options.small else large
        bench.measure_again(again, servers[again], discovered)
        # By the clock, so always in several rounds; the ORM's rate does not depend on how many rows there are.
        bench.measure_writes(instances // 3 if options.small else instances, kinds, options.rounds or 3)
    guard = GUARD if options.small else 1.0
    print_results(bench.results, guard)
    print_machine(PEERS, bench.versions)
    sys.exit(not all(result.holds(guard) for result in bench.results))


class Bench:
    """What is measured, and what was found."""

    def __init__(self, folder: Path, rounds: int, *, has_peers: bool) -> None:
        self.results: list[Result] = []
        self.versions: dict[str, str] = {}
        self._folder = folder
        self._rounds = rounds
        self._has_peers = has_peers
        self._numbers = itertools.count(1)
        #: By what was measured, one of each round.
        self._cpu: dict[str, list[float]] = defaultdict(list)
        self._peak: dict[str, list[float]] = defaultdict(list)
        self._template = folder / "installed.db"
        self._probe("install", folder, f"sqlite:///{self._template}")

    def answers(self, kind: str) -> bool:
        """Whether there is such a database."""
        if kind == "sqlite":
            return True
        version = self._probe("server_version", kind).said["version"]
        if version:
            self.versions[kind] = version
        else:
            print(f"{kind} does not answer, and is left out")
        return bool(version)

    def measure_first(
        self, fleet: Fleet, server: Served, large: Fleet, large_server: Served, kinds: Sequence[str]
    ) -> None:
        """Budgets 1, 2 and 6: fleets that nobody has read before."""
        many = f"first discovery of {large.instances:,}, sqlite"
        for turn in range(self._rounds):
            print(f"\nRound {turn + 1} of {self._rounds}: {fleet.instances:,} instances that are new")
            for name, probe in (("bare boto3", "boto3_pages"), ("read and normalize", "read_regions")):
                read = self._probe(probe, *fleet.region_names, server=server)
                self._note(name, read, read.said["cpu"])
                _require(name, read.said["instances"], fleet.instances)
            for kind in kinds:
                self._discover(f"first discovery, {kind}", kind, fleet, server)
            if "sqlite" in kinds:
                self._discover(many, "sqlite", large, large_server)
            if self._has_peers:
                self._measure_peers(fleet, server)
        ours = "first discovery, sqlite"
        self._judge("read", self._cpu["bare boto3"], self._cpu["read and normalize"])
        self._judge("first", self._cpu["Cloud Custodian"], self._cpu[ours])
        self._judge("first awscli", self._cpu["awscli"], self._cpu[ours])
        self._judge("growth", self._peak[many], self._peak[ours])
        self._judge("memory", self._peak[ours], self._peak["Cloud Custodian"])

    def measure_again(self, fleet: Fleet, server: Served, kinds: Sequence[str]) -> None:
        """Budgets 3 and 4: a fleet that is known, unchanged and with one instance in a hundred changed."""
        generations = itertools.count(fleet.generation + 1)
        names = {kind: (f"unchanged, {kind}", f"{fleet.churn_percent:g}% changed, {kind}") for kind in kinds}
        rows_written: list[float] = []
        with ExitStack() as stack:
            urls = {kind: stack.enter_context(self._installed(kind)) for kind in kinds}
            for url in urls.values():
                self._probe("discover", self._folder, url, server=server)
            for turn in range(self._rounds):
                print(f"\nRound {turn + 1} of {self._rounds}: {fleet.instances:,} instances that are known")
                bare = self._probe("boto3_pages", *fleet.region_names, server=server)
                self._note("bare boto3, again", bare, bare.said["cpu"])
                for kind, url in urls.items():
                    both = self._probe(
                        "rediscover", self._folder, url, server.url, str(next(generations)), server=server
                    )
                    for name, part in zip(names[kind], ("unchanged", "changed"), strict=True):
                        self._note(name, both, both.said[part]["cpu"])
                        _require(name, both.said[part]["instances"], fleet.instances)
                    rows_written.append(both.said["unchanged"]["rows_written"])
                    _require("changed rows", both.said["changed"]["rows_written"], len(_changed(fleet)))
        for kind, (unchanged, changed) in names.items():
            self._judge("unchanged", self._cpu["bare boto3, again"], self._cpu[unchanged], kind)
            self._judge("changed", self._cpu[changed], self._cpu[unchanged], kind)
        self._judge("rows", rows_written, [1.0] * len(rows_written))

    def measure_writes(self, instances: int, kinds: Sequence[str], rounds: int) -> None:
        """Budget 5."""
        print(f"\nWriting {instances:,} rows of instances that have changed")
        for kind in kinds:
            with self._installed(kind) as url:
                rates = self._probe("write_rates", self._folder, url, str(instances), str(rounds)).said
            bulk, orm = statistics.median(rates["bulk"]), statistics.median(rates["orm"])
            print(f"  {kind:44} {bulk:8,.0f} rows a second {orm:8,.0f} by the ORM", flush=True)
            self._judge(f"write {kind}", rates["bulk"], rates["orm"])

    def _measure_peers(self, fleet: Fleet, server: Served) -> None:
        custodian, aws = PEERS / "custodian", PEERS / "aws"
        environment = server.environment() | {"HOME": str(self._folder)}
        if custodian.exists():
            policy = self._folder / "policy.yml"
            policy.write_text(POLICY)
            output = self._folder / "custodian"
            regions = [word for name in fleet.region_names for word in ("--region", name)]
            command = (custodian, "run", "--cache-period", "0", *regions, "--output-dir", output, policy)
            self._note("Cloud Custodian", run(command, environment))
            shutil.rmtree(output)
        else:
            print("  Cloud Custodian is not installed: `make peers` installs it")
        if aws.exists():
            took = [
                run((aws, "ec2", "describe-instances", "--output", "json", "--region", name), environment)
                for name in fleet.region_names
            ]
            self._note("awscli", Measured.together(took))

    def _discover(self, name: str, kind: str, fleet: Fleet, server: Served) -> None:
        with self._installed(kind) as url:
            found = self._probe("discover", self._folder, url, server=server)
        self._note(name, found, found.cpu)
        _require(name, found.said["instances"], fleet.instances)

    def _note(self, name: str, measured: Measured, cpu: float | None = None) -> None:
        """Keep and print a figure; `cpu` is the part of the process that is meant, if not all of it."""
        cpu = measured.cpu if cpu is None else cpu
        self._cpu[name].append(cpu)
        self._peak[name].append(measured.peak_mib)
        print(f"  {name:44} {cpu:8.2f} CPU seconds {measured.peak_mib:8,.0f} MiB", flush=True)

    def _judge(self, budget: str, above: Sequence[float], below: Sequence[float], where: str = "") -> None:
        if above and below:
            self.results.append(Result(BUDGETS[budget], ratios(above, below), where))

    @contextmanager
    def _installed(self, kind: str) -> Iterator[str]:
        """The URL of a new database with Spotkeeper's tables and its account."""
        name = f"spotkeeper_bench_{os.getpid()}_{next(self._numbers)}"
        if kind == "sqlite":
            path = self._folder / f"{name}.db"
            shutil.copy(self._template, path)
            yield f"sqlite:///{path}"
            for left in self._folder.glob(f"{name}.db*"):
                left.unlink()
            return
        try:
            yield self._probe("install_on_server", self._folder, kind, name).said["url"]
        finally:
            self._probe("drop_database", kind, name)

    def _probe(self, name: str, *arguments: str | Path, server: Served | None = None) -> Measured:
        return run_probe(name, *arguments, environment=server.environment() if server else {})


def _changed(fleet: Fleet) -> list[int]:
    """The instances that differ after one generation."""
    later = replace(fleet, generation=fleet.generation + 1)
    return [index for index in range(fleet.instances) if later.changes(index) != fleet.changes(index)]


def _require(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise SystemExit(f"{what}: {found:,} instead of {expected:,}")


if __name__ == "__main__":
    main()
