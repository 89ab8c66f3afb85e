"""The embedded broker's channel: whole messages, in order, one taker each."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from app.tasks.folder_broker import folder_options


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    return Connection(
        "filesystem://localhost/",
        transport="app.tasks.folder_broker:Transport",
        transport_options=folder_options(tmp_path / "broker"),
    )


class TestTheFolder:
    def test_it_is_ours_alone(self, connection: Connection, tmp_path: Path) -> None:
        assert (tmp_path / "broker").stat().st_mode & 0o777 == 0o700

    def test_it_gives_messages_in_the_order_they_came_and_by_queue(self, connection: Connection) -> None:
        channel: Any = connection.channel()
        for number in range(12):
            channel._put("even" if number % 2 == 0 else "odd", {"number": number})
        assert [channel._get("even")["number"] for _ in range(6)] == [0, 2, 4, 6, 8, 10]
        assert channel._get("odd") == {"number": 1}
        with pytest.raises(Empty):
            channel._get("even")

    def test_it_gives_each_message_to_one_taker_and_leaves_nothing_behind(
        self, connection: Connection, tmp_path: Path
    ) -> None:
        channels: list[Any] = [connection.channel() for _ in range(8)]
        for number in range(100):
            channels[0]._put("jobs", {"number": number})

        def take_all(channel: Any) -> list[int]:
            taken = []
            try:
                while True:
                    taken.append(channel._get("jobs")["number"])
            except Empty:
                return taken

        with ThreadPoolExecutor(8) as pool:
            taken = [number for numbers in pool.map(take_all, channels) for number in numbers]
        assert sorted(taken) == list(range(100))
        assert [path.name for path in (tmp_path / "broker").iterdir() if path.is_file()] == []

    def test_it_does_not_show_a_message_that_is_still_being_written(
        self, connection: Connection, tmp_path: Path
    ) -> None:
        (tmp_path / "broker" / "00000000000000000001_x.jobs.draft").write_text('{"half": ')
        channel: Any = connection.channel()
        with pytest.raises(Empty):
            channel._get("jobs")
        assert channel._size("jobs") == 0
