"""Keeps what a region's pages bring until the last one has come, outside of memory.

Nothing may be written before a region is read to its end, and no transaction stays open while AWS is waited for; so the
rows wait in a file of the system's temporary folder, which has no name and is gone when the process is.
"""

import errno
import pickle
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from app.errors import NoRoomError

#: Up to here it stays in memory; a page of unchanged instances brings nothing, and most readings are such.
MEMORY_BYTES = 256 * 1024

#: From so many on a batch is given back; never much more, for a page has as many at most.
TOGETHER = 250


class Spool:
    """Batches of anything that pickles, given back in order, once; a context manager."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 - this is one itself
        self._count = 0

    def put(self, batch: list[Any]) -> None:
        """Add a batch.

        Raises:
            NoRoomError: the disk with the temporary folder is full.
        """
        try:
            pickle.dump(batch, self._file, protocol=pickle.HIGHEST_PROTOCOL)
            self._file.flush()
        except OSError as error:
            # The second is how Python says that it could not write into any folder for temporary files.
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.ENOENT}:
                raise NoRoomError("There is no room left in the folder for temporary files") from error
            raise
        self._count += 1

    def batches(self) -> Iterator[list[Any]]:
        """Everything in the order in which it came, small batches together: most pages bring a few changes, and each
        batch that is written costs half a dozen statements. Only what this process wrote is read: pickle executes."""
        self._file.seek(0)
        batch: list[Any] = []
        for _ in range(self._count):
            batch += pickle.load(self._file)  # noqa: S301 # nosec B301 - our own, from a file nobody else can open
            if len(batch) >= TOGETHER:
                yield batch
                batch = []
        if batch:
            yield batch

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()
