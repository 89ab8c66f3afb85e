"""A fake AWS for measuring: hands out what `ec2_fleet` makes up, rendered beforehand, from a process of its own.

    python -m benchmarks.ec2_server --instances 10000 --regions 4 --port 5099

    AWS_ENDPOINT_URL=http://127.0.0.1:5099 AWS_ACCESS_KEY_ID=AKIABENCHMARK0000001 AWS_SECRET_ACCESS_KEY=any \\
        AWS_REGION=us-east-1 aws ec2 describe-instances

It knows GetCallerIdentity, DescribeRegions and DescribeInstances (MaxResults, NextToken, no filters). The access key
says which account is asked (AKIABENCHMARK and the account's number in seven digits), the signature's scope which
region; signatures are not checked. `POST /fleet?generation=1&order=2` lets time pass: see `ec2_fleet.Fleet`.

In a program:

    with served(Fleet(instances=10_000)) as server:
        server.become(generation=1)
"""

import argparse
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from benchmarks.ec2_fleet import Fleet
from benchmarks.ec2_instance import account_id

KEY_PREFIX = "AKIABENCHMARK"
HOST = "127.0.0.1"
#: What EC2 gives to those who name no MaxResults, and the most that it gives.
PAGE_INSTANCES = 1000
REQUEST_ID = "8f7724cf-496f-496e-8fe3-bench000mark"

_SIGNER = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")


def access_key(account: int) -> str:
    """The access key id that asks for this account."""
    return f"{KEY_PREFIX}{account:07d}"


class Pages:
    """One account's fleet, cut into pages of ready bytes. Only what a new generation changed is rendered again."""

    def __init__(self, fleet: Fleet) -> None:
        self._lock = threading.Lock()
        self._fleet = fleet
        self._items: dict[tuple[str, int], bytes] = {}
        self._marks: dict[tuple[str, int], tuple[int, ...]] = {}
        self._pages: dict[tuple[str, int], list[bytes]] = {}
        self.become(fleet)

    def become(self, fleet: Fleet) -> None:
        with self._lock:
            self._fleet = fleet
            self._pages.clear()
            for region in fleet.region_names:
                for first, count in fleet.slots(region):
                    mark = (fleet.order, *(fleet.changes(first + place) for place in range(count)))
                    if self._marks.get((region, first)) != mark:
                        self._items[region, first] = fleet.render(region, first, count)
                        self._marks[region, first] = mark
                self._cut(region, PAGE_INSTANCES)

    def page(self, region: str, size: int, number: int) -> bytes | None:
        """The page with this number (from 0) when pages have at most `size` instances; None beyond the last."""
        with self._lock:
            pages = self._pages.get((region, size)) or self._cut(region, size)
        return pages[number] if 0 <= number < len(pages) else None

    def _cut(self, region: str, size: int) -> list[bytes]:
        contents: list[list[bytes]] = [[]]
        filled = 0
        # A region that the account does not use has one empty page.
        slots = self._fleet.slots(region) if region in self._fleet.region_names else ()
        for first, count in slots:
            if contents[-1] and filled + count > size:
                contents.append([])
                filled = 0
            contents[-1].append(self._items[region, first])
            filled += count
        last = len(contents) - 1
        pages = [
            _answer(
                "DescribeInstances",
                [b"    <reservationSet>\n", *content, b"    </reservationSet>\n"]
                + ([] if number == last else [f"    <nextToken>{region}/{number + 1}</nextToken>\n".encode()]),
            )
            for number, content in enumerate(contents)
        ]
        self._pages[region, size] = pages
        return pages


class Handler(BaseHTTPRequestHandler):
    """One connection of a client, which may carry many requests."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        address = urlsplit(self.path)
        if address.path == "/fleet":
            self.server.become({name: int(value) for name, value in parse_qsl(address.query)})
            self._send(HTTPStatus.OK, b"")
            return
        signer = _SIGNER.search(self.headers.get("Authorization") or "")
        number = signer[1].removeprefix(KEY_PREFIX) if signer else ""
        if not signer or not number.isdigit() or int(number) not in self.server.accounts:
            self._refuse(HTTPStatus.UNAUTHORIZED, "AuthFailure")
            return
        self._answer_aws(int(number), signer[2], {name: values[0] for name, values in parse_qs(body).items()})

    def _answer_aws(self, account: int, region: str, asked: dict[str, str]) -> None:
        pages = self.server.accounts[account]
        match asked.get("Action"):
            case "DescribeInstances":
                size = min(int(asked.get("MaxResults", PAGE_INSTANCES)), PAGE_INSTANCES)
                page = pages.page(region, size, int(asked.get("NextToken", "/0").rpartition("/")[2]))
                if page is None:
                    self._refuse(HTTPStatus.BAD_REQUEST, "InvalidNextToken")
                else:
                    self._send(HTTPStatus.OK, page)
            case "DescribeRegions":
                self._send(HTTPStatus.OK, self.server.regions)
            case "GetCallerIdentity":
                self._send(HTTPStatus.OK, _identity(account))
            case _:
                self._refuse(HTTPStatus.BAD_REQUEST, "InvalidAction")

    def _refuse(self, status: HTTPStatus, code: str) -> None:
        error = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
        self._send(status, f"<Response><Errors>{error}</Errors><RequestID>{REQUEST_ID}</RequestID></Response>".encode())

    def _send(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves accounts 1 to N, each with a fleet of the same size and its own instances."""

    daemon_threads = True

    def __init__(self, fleet: Fleet, accounts: int, port: int) -> None:
        super().__init__((HOST, port), Handler)
        self._fleet = fleet
        self.accounts = {number: Pages(replace(fleet, account=number)) for number in range(1, accounts + 1)}
        self.regions = _regions(fleet.region_names)

    def become(self, changes: dict[str, int]) -> None:
        self._fleet = replace(self._fleet, **changes)  # type: ignore[arg-type]
        for number, pages in self.accounts.items():
            pages.become(replace(self._fleet, account=number))


def _answer(operation: str, parts: Sequence[bytes]) -> bytes:
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">\n'
        f"    <requestId>{REQUEST_ID}</requestId>\n"
    )
    return b"".join((head.encode(), *parts, f"</{operation}Response>".encode()))


def _regions(names: Sequence[str]) -> bytes:
    items = "".join(
        f"        <item>\n            <regionName>{name}</regionName>\n"
        f"            <regionEndpoint>ec2.{name}.amazonaws.com</regionEndpoint>\n"
        f"            <optInStatus>opt-in-not-required</optInStatus>\n        </item>\n"
        for name in names
    )
    return _answer("DescribeRegions", [f"    <regionInfo>\n{items}    </regionInfo>\n".encode()])


def _identity(account: int) -> bytes:
    return (
        f'<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>arn:aws:iam::{account_id(account)}:user/bench</Arn><UserId>AIDABENCHMARK0000001</UserId>"
        f"<Account>{account_id(account)}</Account></GetCallerIdentityResult>"
        f"<ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    ).encode()


@dataclass(frozen=True, slots=True)
class Served:
    """A running server: where it is, and how to let time pass in it."""

    url: str

    def become(self, **changes: int) -> None:
        """Show the fleet with these fields of `Fleet` changed (generation, order)."""
        query = "&".join(f"{name}={value}" for name, value in changes.items())
        with urllib.request.urlopen(f"{self.url}/fleet?{query}", data=b""):
            pass

    def environment(self, account: int = 1) -> dict[str, str]:
        """The environment variables by which an AWS client comes here, and nowhere else."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": access_key(account),
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }


@contextmanager
def served(fleet: Fleet, accounts: int = 1) -> Iterator[Served]:
    """Start a server in a process of its own, so that its work is not counted; it ends with the block."""
    numbers = asdict(fleet) | {"accounts": accounts, "port": 0}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in numbers.items() if name != "account"]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.ec2_server", *options], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if not line.startswith("http://"):
            raise SystemExit("The fake AWS did not start")
        yield Served(line)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--instances", type=int, default=10_000, help="of each account")
    parser.add_argument("--regions", type=int, default=4)
    parser.add_argument("--generation", type=int, default=0)
    parser.add_argument("--churn-percent", type=float, default=1.0)
    parser.add_argument("--order", type=int, default=0)
    parser.add_argument("--accounts", type=int, default=1)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    numbers = vars(parser.parse_args())
    accounts, port = numbers.pop("accounts"), numbers.pop("port")
    with Server(Fleet(**numbers), accounts, port) as server:
        print(f"http://{HOST}:{server.server_address[1]}", flush=True)
        with suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()
