"""The operator's SQS queue of events, read with the installation's own identity; imports botocore.

Source: SQS API reference, ReceiveMessage and DeleteMessageBatch. A message that is not deleted comes again when its
visibility time-out has passed.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from app.aws.errors import aws_faults, own_fault
from app.aws.session import app_client, app_region
from app.errors import AwsFault

#: SQS gives and takes no more at once.
BATCH = 10

_HOST = re.compile(r"https://sqs\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `receipt` is what deletes it."""

    message_id: str
    body: str = field(repr=False)
    receipt: str = field(repr=False)


class Queue:
    """A queue while it is being read. Every call raises AwsFault."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def receive(self, *, wait_seconds: int) -> list[Message]:
        """Up to BATCH messages, waiting for so long where there are none (20 seconds at most)."""
        with _faults():
            answer = self._client.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=wait_seconds
            )
            return [
                Message(str(found["MessageId"]), str(found["Body"]), str(found["ReceiptHandle"]))
                for found in answer.get("Messages") or ()
            ]

    def delete(self, messages: Sequence[Message]) -> None:
        """Forget them; one that SQS does not forget comes again, which does no harm."""
        if not messages:
            return
        entries = [{"Id": str(number), "ReceiptHandle": found.receipt} for number, found in enumerate(messages)]
        with _faults():
            self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)


@contextmanager
def open_queue(url: str) -> Iterator[Queue]:
    """The queue at this address, which the settings have checked. Raises AwsFault."""
    with closing(app_client("sqs", queue_region(url))) as client:
        yield Queue(client, url)


def queue_region(url: str) -> str:
    """The region that the address names; behind an endpoint of the environment's, the installation's own."""
    match = _HOST.match(url)
    return match[1] if match else app_region()


@contextmanager
def _faults() -> Iterator[None]:
    try:
        with aws_faults():
            yield
    except AwsFault as fault:
        raise own_fault(fault) from None
