"""A wire that can be held still or cut: TCP in front of a database, a broker or AWS, without touching those."""

import contextlib
import selectors
import socket
import threading
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
CHUNK = 256 * 1024


class Proxy:
    """Forwards a port of its own to `target`; a context manager.

    `freeze()` holds all bytes back, connections stay open; `cut()` resets those; `refuse()` takes no new ones.
    """

    def __init__(self, target: tuple[str, int], host: str = HOST) -> None:
        self.target = target
        self._listener = socket.create_server((host, 0), backlog=256)
        self.host, self.port = host, int(self._listener.getsockname()[1])
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = threading.Event()
        self._closing = threading.Event()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def cut(self) -> None:
        """As when the other side is restarted: every connection ends with a reset."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                _reset(end)

    def refuse(self) -> None:
        """As when nobody listens: what is there is cut, and what comes is reset at once."""
        self._refusing.set()
        self.cut()

    def admit(self) -> None:
        self._refusing.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._flowing.set()
        self._listener.close()
        self.cut()
        self._thread.join(2)

    def _accept(self) -> None:
        self._listener.settimeout(0.2)
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._refusing.is_set():
                _reset(client)
                continue
            threading.Thread(target=self._serve, args=(client,), name="proxied", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        # A frozen server takes connections: its kernel does.
        self._flowing.wait()
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        client.settimeout(None)
        pair = (client, server)
        with self._lock:
            self._pairs.add(pair)
        try:
            self._pump(client, server)
        finally:
            with self._lock:
                self._pairs.discard(pair)
            for end in pair:
                end.close()

    def _pump(self, client: socket.socket, server: socket.socket) -> None:
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while not self._closing.is_set():
                for key, _ in selector.select(timeout=0.5):
                    self._flowing.wait()
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    chunk = source.recv(CHUNK)
                    if not chunk:
                        return
                    key.data.sendall(chunk)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        end.close()
