"""Serves the simulated AWS on a loopback port: in a thread for tests, or as `python -m demo.aws.server`."""

import argparse
import signal
import socket
import sys
import threading
import time
from email.utils import format_datetime
from types import FrameType, TracebackType
from typing import Any, Self

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from demo.aws.cloud import SimulatedAws

HOST = "127.0.0.1"


class _QuietHandler(MotoRequestHandler):
    """Says nothing about requests; the simulation has a log of its own."""

    def log(self, type: str, message: str, *args: Any) -> None:
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header tells the simulation's time, by which clients see that theirs is wrong."""
        return format_datetime(self.server.app.clock(), usegmt=True)  # type: ignore[attr-defined]


class AwsServer:
    """The simulation on a port of its own choice (0) or of yours; a context manager.

    Raises OSError where the port is taken.
    """

    def __init__(self, cloud: SimulatedAws | None = None, port: int = 0) -> None:
        self.cloud = cloud or SimulatedAws()
        # Our own socket, for werkzeug would print and exit where the port is taken.
        with socket.create_server((HOST, port), backlog=128) as listening:
            fd = listening.fileno()
            self._server = make_server(HOST, port, self.cloud, threaded=True, request_handler=_QuietHandler, fd=fd)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="simulated-aws", daemon=True
        )
        self.port = int(self._server.port)
        self.url = f"http://{HOST}:{self.port}"

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop, and close what is waiting or dripping."""
        self.cloud.faults.clear()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5)
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main() -> None:
    """Serve until SIGTERM or Ctrl-C; prints one line with the address once it answers."""
    parser = argparse.ArgumentParser(description="A simulated AWS on a loopback port.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", action="store_true", help="fill it with the demo's accounts and instances")
    options = parser.parse_args()
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    cloud = SimulatedAws()
    if options.seed:
        from demo.aws.fleet import seed

        started = time.monotonic()
        fleet = seed(cloud)
        print(
            f"Seeded {fleet.instance_count} instances in {len(fleet.accounts)} accounts "
            f"in {time.monotonic() - started:.1f} s",
            flush=True,
        )
    try:
        server = AwsServer(cloud, options.port)
    except OSError:
        sys.exit(f"Port {options.port} is taken.")
    with server:
        print(f"Simulated AWS: {server.url}", flush=True)
        stopping.wait()


if __name__ == "__main__":
    main()
