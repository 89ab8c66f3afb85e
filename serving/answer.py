"""A client's socket on which nobody has to wait for the client."""

import socket
from typing import Any

#: How long a client may take nothing of its answer, in seconds.
ANSWER_SECONDS = 20.0
#: What of an answer may wait for its client; who makes a longer one waits, too.
ANSWER_BYTES = 256 * 1024


class Answer:
    """A client's socket that takes all it is given, and keeps what does not go out at once."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rest = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sock, name)

    def sendall(self, data: bytes) -> None:
        self.rest += data
        self.send_on()
        if len(self.rest) > ANSWER_BYTES:
            self.sock.settimeout(ANSWER_SECONDS)
            try:
                self.sock.sendall(self.rest)
            finally:
                self.sock.setblocking(False)
            self.rest.clear()

    def send_on(self) -> int:
        """How many bytes went out; as many as can, without waiting."""
        try:
            count = self.sock.send(self.rest)
        except BlockingIOError:
            return 0
        del self.rest[:count]
        return count
