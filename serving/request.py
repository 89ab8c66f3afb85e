"""Says of a request that is still coming whether all of it is there; HTTP/1.1 as far as that takes, and no more.

The worker's parser reads it afterwards, and refuses what is wrong. Source: RFC 9112, sections 2, 6 and 7.
"""

import re

#: What no request line and headers together reach, and what the application takes as a body (MAX_CONTENT_LENGTH).
HEAD_BYTES = 64 * 1024
BODY_BYTES = 1024 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.IGNORECASE)
_EXPECTING = re.compile(rb"\r\nexpect:[ \t]*100-continue", re.IGNORECASE)


class Coming:
    """A request that is still on its way."""

    def __init__(self, now: float) -> None:
        self.since = now
        self.data = bytearray()
        self.expects_word = False
        """Whether its client sends the body only when it is told to go on."""

        self._body_at = -1
        self._length: int | None = None
        self._chunk_at = 0

    @property
    def is_too_long(self) -> bool:
        """Whether its head is longer than any that is served."""
        return self._body_at < 0 and len(self.data) > HEAD_BYTES

    @property
    def is_too_large(self) -> bool:
        """Whether its body is larger than the application takes: it refuses that by the head alone."""
        return self._body_at >= 0 and (self._length or len(self.data) - self._body_at) > BODY_BYTES

    def is_whole(self) -> bool:
        """Whether a thread that reads it would wait for nothing more."""
        if self._body_at < 0:
            # One empty line may come before it, and is no head.
            end = self.data.find(b"\r\n\r\n", 2)
            if end < 0:
                return False
            self._body_at = self._chunk_at = end + 4
            head = bytes(self.data[: end + 2])
            self.expects_word = _EXPECTING.search(head) is not None
            if not _CHUNKED.search(head):
                found = _LENGTH.search(head)
                self._length = int(found[1]) if found else 0
        if self.is_too_large:
            return True
        if self._length is not None:
            return len(self.data) - self._body_at >= self._length
        return self._has_last_chunk()

    def _has_last_chunk(self) -> bool:
        while (end := self.data.find(b"\r\n", self._chunk_at)) >= 0:
            try:
                size = int(self.data[self._chunk_at : end].split(b";")[0], 16)
            except ValueError:
                return True  # the parser will refuse it
            if size <= 0:
                # An empty line ends what may follow the last chunk, or the chunk itself where nothing follows.
                return self.data.find(b"\r\n\r\n", end) >= 0
            if end + 2 + size + 2 > len(self.data):
                return False
            self._chunk_at = end + 2 + size + 2
        return False
