"""Workers on several hosts: network namespaces that share neither a network nor a folder, only database and broker."""

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.chaos.fleet import ChurningFleet, serving
from tests.chaos.installation import DEFAULT_PORTS, Installation, broker_url, installed, kill, place_of, through
from tests.chaos.proxy import Proxy
from tests.chaos.report import Table
from tests.databases import Databases

HOSTS = ("one", "two", "three")
ACCOUNTS = 6
ROUNDS = 4
FLEETS = tuple(ChurningFleet(instances=150, regions=2, account=number) for number in range(1, ACCOUNTS + 1))
PAIRS = (("postgresql", "rabbitmq"), ("mariadb", "redis"), ("postgresql", "redis"), ("mariadb", "rabbitmq"))


def run(databases: Databases, folder: Path, _count: int) -> Table:
    """Some rounds on each pair of servers; in the second one host dies with all that is on it."""
    how = "in network namespaces" if _has_namespaces() else "with separate folders alone, for want of ip netns and root"
    table = Table(
        f"{len(HOSTS)} hosts, {ACCOUNTS} accounts, {ROUNDS} rounds, {how}",
        ("database", "broker", "discoveries done by each host", "a host died", "problems"),
    )
    for number, (kind, broker) in enumerate(PAIRS):
        with ExitStack() as stack:
            aws = stack.enter_context(serving(*FLEETS, slowest_seconds=0.3, page_size=40))
            url = broker_url(broker)
            place = folder / f"{kind}-{broker}"
            here = stack.enter_context(installed(databases, kind, place, aws, FLEETS, BROKER_URL=url))
            _run_rounds(table, here, kind, broker, stack, number)
    return table


def _run_rounds(table: Table, here: Installation, kind: str, broker: str, stack: ExitStack, number: int) -> None:
    workers = {}
    for place, name in enumerate(HOSTS):
        prefix, host = stack.enter_context(_host(number * len(HOSTS) + place))
        workers[name] = here.start("worker", *prefix, **_environment(here, kind, broker, name, host, stack))
    here.start("scheduler")
    problems: list[str] = []
    done: Counter[str] = Counter()
    for generation in range(ROUNDS):
        here.become(generation)
        ids = here.ask()
        if generation == 1:
            time.sleep(1)
            kill(workers[HOSTS[0]])
        if not here.wait_for(ids, seconds=90):
            problems.append(f"{kind}, {broker}: round {generation} does not end")
        here.discovered()
        problems += [f"{kind}, {broker}: {problem}" for problem in here.problems()]
        done += here.count_workers(ids)
    shares = ", ".join(str(count) for _, count in done.most_common())
    if len(done) < 2:
        problems.append(f"{kind}, {broker}: one worker did it all")
    table.add((kind, broker, shares, "in round 2", len(problems)), problems)


def _environment(here: Installation, kind: str, broker: str, name: str, host: str, stack: ExitStack) -> dict[str, str]:
    """Everything by way of the host's own end of its wire, and a folder of its own."""
    env = here.environment
    targets = {
        "DATABASE_URL": DEFAULT_PORTS[kind],
        "BROKER_URL": DEFAULT_PORTS[broker],
        "AWS_ENDPOINT_URL": 80,
    }
    folder = Path(env["INSTANCE_PATH"]) / name
    folder.mkdir()
    changed = {"INSTANCE_PATH": os.fspath(folder)}
    for variable, port in targets.items():
        wire = stack.enter_context(Proxy(place_of(env[variable], port), host))
        changed[variable] = through(env[variable], host, wire.port)
    return changed


@contextmanager
def _host(number: int) -> Iterator[tuple[tuple[str, ...], str]]:
    """What a command needs before it to run there, and our address as it is seen from there."""
    if not _has_namespaces():
        yield (), "127.0.0.1"
        return
    name, near, far = f"chaos{os.getpid() % 10_000}n{number}", f"10.213.{number}.1", f"10.213.{number}.2"
    outer, inner = f"co{os.getpid() % 10_000}n{number}", f"ci{os.getpid() % 10_000}n{number}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", name)
        _ip("addr", "add", f"{near}/30", "dev", outer)
        _ip("link", "set", outer, "up")
        _ip("-n", name, "addr", "add", f"{far}/30", "dev", inner)
        _ip("-n", name, "link", "set", inner, "up")
        _ip("-n", name, "link", "set", "lo", "up")
        yield ("ip", "netns", "exec", name), near
    finally:
        _ip("netns", "delete", name)


def _has_namespaces() -> bool:
    return os.geteuid() == 0 and shutil.which("ip") is not None


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)
