"""Counts the requests that are sent to AWS for one account; pure, does not import boto3.

AWS throttles by account, region and action, so that is what is counted, repeated attempts included: to AWS each of
them is a call.
"""

import threading
from collections import Counter
from collections.abc import Mapping

#: (region, action), the action as IAM spells it: ("eu-west-1", "ec2:DescribeInstances").
Counts = Mapping[tuple[str, str], int]


class CallMeter:
    """One count for a whole job; its clients share it from as many threads as they like."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, region: str, action: str) -> None:
        """Count one request, just before it is sent."""
        with self._lock:
            self._total += 1
            self._counts[region, action] += 1

    def take(self) -> dict[tuple[str, str], int]:
        """What was counted since the last taking. Whoever takes it writes it down, or gives it back."""
        with self._lock:
            taken = dict(self._counts)
            self._counts.clear()
        return taken

    def give_back(self, counts: Counts) -> None:
        """Put back what was taken and could not be written down."""
        with self._lock:
            self._counts.update(counts)

    @property
    def total(self) -> int:
        """All requests so far, whether taken or not."""
        with self._lock:
            return self._total
