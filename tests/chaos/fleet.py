"""A fleet in which something changes, vanishes or returns each time, served as slowly as AWS; and what is true of it.

    with serving(ChurningFleet(instances=1200)) as aws:
        aws.become(generation=1)

What an inventory and its history must hold is worked out here from the fleet alone, and not by the application.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from benchmarks import ec2_server
from benchmarks.ec2_fleet import Fleet
from benchmarks.ec2_instance import make_instance
from benchmarks.ec2_server import Handler, Pages, Served, Server

#: One reservation in so many is away for one generation.
AWAY_ONE_IN = 29

#: The region that is answered even while the others are held.
HOME = "us-east-1"

#: What an instance is: id, region, state, type, public address, tags as JSON.
Fact = tuple[str, str, str, str, str, str]
#: One row of history: instance id, kind, field, before and after as JSON.
Told = tuple[str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurningFleet(Fleet):
    """A tenth of the instances change with each generation, and some reservations are away for one."""

    churn_percent: float = 10.0

    def slots(self, region: str) -> Iterator[tuple[int, int]]:
        for first, count in Fleet.slots(self, region):
            if self.generation == 0 or (first * 7 + self.generation) % AWAY_ONE_IN:
                yield first, count

    def inventory(self) -> set[Fact]:
        """All that is there in this generation."""
        return {
            (
                told["instanceId"],
                region,
                told["instanceState"]["name"],
                told["instanceType"],
                told.get("ipAddress", ""),
                as_json({tag["key"]: tag["value"] for tag in told["tagSet"]}),
            )
            for region in self.region_names
            for told in self._instances(region)
        }

    def _instances(self, region: str) -> Iterator[Mapping[str, Any]]:
        for first, count in self.slots(region):
            for index in range(first, first + count):
                yield make_instance(self.account, region, index, changes=self.changes(index))


def history(fleets: Sequence[ChurningFleet]) -> Counter[Told]:
    """What must have been written after these generations were discovered, each once, one after the other."""
    rows: Counter[Told] = Counter()
    last: dict[str, Fact] = {}
    present: set[str] = set()
    for fleet in fleets:
        now = {fact[0]: fact for fact in fleet.inventory()}
        for instance_id, fact in now.items():
            before = last.get(instance_id)
            if before is None:
                rows[instance_id, "appeared", "state", "null", as_json(fact[2])] += 1
                continue
            if instance_id not in present:
                rows[instance_id, "returned", "state", as_json("missing"), as_json(fact[2])] += 1
            elif before[2] != fact[2]:
                rows[instance_id, "changed", "state", as_json(before[2]), as_json(fact[2])] += 1
            if before[4] != fact[4]:
                rows[instance_id, "changed", "public_ip", as_json(before[4]), as_json(fact[4])] += 1
            if before[5] != fact[5]:
                rows[instance_id, "changed", "Tags", *_differing(before[5], fact[5])] += 1
        for instance_id in present - now.keys():
            rows[instance_id, "vanished", "state", as_json(last[instance_id][2]), as_json("missing")] += 1
        last |= now
        present = set(now)
    return rows


def as_json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _differing(before: str, after: str) -> tuple[str, str]:
    old, new = json.loads(before), json.loads(after)
    keys = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    return tuple(as_json({key: tags[key] for key in keys if key in tags}) for tags in (old, new))  # type: ignore[return-value]  # two


class SlowHandler(Handler):
    """Takes its time over each page, never twice the same."""

    slowest_seconds = 0.0

    server: "ChurningServer"

    def do_POST(self) -> None:
        if self.path != "/fleet" and not self.path.startswith("/fleet?"):
            time.sleep(random.uniform(0.2, 1) * self.slowest_seconds)
            if f"/{HOME}/" not in (self.headers.get("Authorization") or ""):
                self.server.let_go.wait()
        super().do_POST()


class ChurningServer(Server):
    """Serves accounts that may be of different sizes."""

    def __init__(self, fleets: Sequence[ChurningFleet], port: int) -> None:
        super().__init__(fleets[0], 0, port)
        self.RequestHandlerClass = SlowHandler
        self.fleets = {fleet.account: fleet for fleet in fleets}
        self.accounts = {number: Pages(fleet) for number, fleet in self.fleets.items()}
        self.let_go = threading.Event()
        self.let_go.set()

    def become(self, changes: dict[str, int]) -> None:
        """As the fleet's; `held=1` keeps all regions but one waiting for their answers, until `held=0`."""
        if changes.pop("held", 0):
            self.let_go.clear()
        else:
            self.let_go.set()
        for number, pages in self.accounts.items():
            self.fleets[number] = replace(self.fleets[number], **changes)  # type: ignore[arg-type]
            pages.become(self.fleets[number])

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Who is killed hangs up.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(*fleets: ChurningFleet, slowest_seconds: float = 0.0, page_size: int = 1000) -> Iterator[Served]:
    """The server in a process of its own; each fleet is its account's."""
    told = json.dumps([asdict(fleet) for fleet in fleets])
    options = ["--fleets", told, "--slowest-seconds", str(slowest_seconds), "--page-size", str(page_size)]
    process = subprocess.Popen([sys.executable, "-m", __name__, *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), "The fake AWS did not start"
        yield Served(url)
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="A slow AWS with a churning fleet, on loopback.")
    parser.add_argument("--fleets", type=json.loads, required=True)
    parser.add_argument("--slowest-seconds", type=float, default=0)
    parser.add_argument("--page-size", type=int, default=1000)
    options = parser.parse_args()
    SlowHandler.slowest_seconds = options.slowest_seconds
    ec2_server.PAGE_INSTANCES = options.page_size
    with ChurningServer([ChurningFleet(**numbers) for numbers in options.fleets], 0) as server:
        print(f"http://{ec2_server.HOST}:{server.server_address[1]}", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
