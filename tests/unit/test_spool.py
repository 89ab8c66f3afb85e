"""What waits outside of memory comes back whole, in order, and in batches worth writing."""

from app.services.discovery.spool import TOGETHER, Spool


def test_it_gives_back_all_in_order_and_small_batches_together() -> None:
    numbers = list(range(7 * TOGETHER))
    with Spool() as spool:
        for start in range(0, len(numbers), 7):
            spool.put(numbers[start : start + 7])
        batches = list(spool.batches())
    assert [number for batch in batches for number in batch] == numbers
    assert all(TOGETHER <= len(batch) < TOGETHER + 7 for batch in batches[:-1])


def test_an_empty_one_gives_back_nothing() -> None:
    with Spool() as spool:
        assert list(spool.batches()) == []
