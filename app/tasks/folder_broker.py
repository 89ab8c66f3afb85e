"""The embedded broker: messages are files in one private folder of this machine.

kombu's `filesystem://` with three faults mended. It writes a message under its final name, where a worker may read
half of it, and takes messages by way of the shared temporary folder; here both are one rename within our folder. And it
writes its table of queues in place: where the disk is full, nothing is left of it, and nobody can send any more.
"""

import fcntl
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.transport.filesystem import exchange_queue_t
from kombu.utils.json import dumps, loads

#: How often workers look into the folder, in seconds.
POLLING_INTERVAL = 0.2


def folder_options(folder: Path) -> dict[str, Any]:
    """Transport options for messages in this folder, which is made when missing, for our user alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)  # it may have been there, or the umask may have been odd
    place = os.fspath(folder)
    return {
        "data_folder_in": place,
        "data_folder_out": place,
        "control_folder": os.fspath(folder / "control"),
        "polling_interval": POLLING_INTERVAL,
    }


class Channel(filesystem.Channel):
    """Puts and takes whole files."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # The wall clock, not the machine's uptime as in kombu: the order survives a reboot.
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}"
        _write_whole(folder / f"{name}.msg", dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        folder = Path(self.data_folder_in)
        ending = f".{queue}.msg"
        for name in sorted(name for name in os.listdir(folder) if name.endswith(ending)):  # noqa: PTH208 - names alone; Path objects cost more on each poll
            taken = folder / f"{name}.taken-{uuid.uuid4().hex}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another worker was quicker
            try:
                return loads(taken.read_text())
            finally:
                taken.unlink()
        raise Empty

    def get_table(self, exchange: Any) -> list[Any]:
        try:
            return list(super().get_table(exchange))
        except ValueError:
            return []  # what others left of it when there was no room

    def _queue_bind(self, exchange: Any, routing_key: Any, pattern: Any, queue: Any) -> None:
        bound = exchange_queue_t(routing_key or "", pattern or "", queue or "")
        if bound in self.get_table(exchange):
            return
        file: Path = self._exchange_file(exchange)  # type: ignore[attr-defined]  # the stubs are older
        file.parent.mkdir(exist_ok=True)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # between reading and renaming, for others add their queues
            _write_whole(file, dumps([bound, *(kept for kept in self.get_table(exchange) if kept != bound)]))
        finally:
            os.close(folder)


def _write_whole(file: Path, text: str) -> None:
    """Make the file as a whole, or not at all."""
    draft = file.with_name(f"{file.name}.{uuid.uuid4().hex}.draft")
    try:
        draft.write_text(text)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


class Transport(filesystem.Transport):
    Channel = Channel
