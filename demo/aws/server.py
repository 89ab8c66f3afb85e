"""Serves the simulated AWS on a loopback port: in a thread for tests, as `python -m demo.aws.server` for the demo."""

import argparse
import logging
import signal
import threading
from types import TracebackType

from werkzeug.serving import make_server

from demo.aws.cloud import SimulatedAws


class SimulationServer:
    """A running simulation; `url` goes into AWS_ENDPOINT_URL."""

    def __init__(self, cloud: SimulatedAws, *, port: int = 0) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.cloud = cloud
        self._server = make_server("127.0.0.1", port, cloud, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="simulated-aws", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> "SimulationServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> "SimulationServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def main() -> None:
    """Serve until told to stop; prints the address when ready."""
    parser = argparse.ArgumentParser(description="A simulated AWS on a loopback port.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", action="store_true", help="fill it with accounts and a fleet")
    options = parser.parse_args()
    cloud = SimulatedAws()
    if options.seed:
        from demo.aws.fleet import seed

        seed(cloud)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with SimulationServer(cloud, port=options.port) as server:
        print(f"Ready: {server.url}", flush=True)
        stopping.wait()


if __name__ == "__main__":
    main()
