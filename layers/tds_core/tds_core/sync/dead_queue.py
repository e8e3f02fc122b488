"""A queue of dead messages on SQS, looked through without being emptied.

SQS cannot list: whoever wants to see a message has to receive it, which hides it. So a visit receives message after
message, hides each for a minute at most, and makes every one visible again at its end. A killed visit hides what it
had received for the rest of that minute; nothing is ever lost by it.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tds_core.errors import QueueUnavailable

HIDDEN_S = 60
LOOK_S = 20.0
_AT_ONCE = 10
WAIT_S = 1
_COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
_FAILURES = (BotoCoreError, ClientError)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadMessage:
    """One message as it lies there; `sent_at` is when it was put there, or first sent if SQS itself moved it."""

    message_id: str
    receipt: str
    body: str
    attributes: Mapping[str, str]
    sent_at: datetime


class Visit:
    """The messages of one visit, each once; what is deleted is not given back."""

    def __init__(self, client: Any, url: str, *, limit: int, clock: Callable[[], float]) -> None:
        self._client = client
        self._url = url
        self._limit = limit
        self._clock = clock
        self._receipts: dict[str, str] = {}
        self._seen: set[str] = set()

    def __iter__(self) -> Iterator[DeadMessage]:
        """Every message that can be received now; ends at the limit, when nothing new comes, or after `LOOK_S`."""
        until = self._clock() + LOOK_S
        while len(self._seen) < self._limit and self._clock() < until:
            received = self._receive(min(_AT_ONCE, self._limit - len(self._seen)))
            fresh = [message for message in received if message.message_id not in self._seen]
            self._receipts |= {message.message_id: message.receipt for message in received}
            self._seen |= self._receipts.keys()
            if not fresh:
                return
            yield from fresh

    def delete(self, message: DeadMessage) -> None:
        """Take it off the queue; raises QueueUnavailable."""
        with _told("message not deleted"):
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=message.receipt)
        del self._receipts[message.message_id]

    def end(self) -> None:
        """Make what was received visible again; what that fails for is so by itself within `HIDDEN_S`."""
        held = list(self._receipts.values())
        for first in range(0, len(held), _AT_ONCE):
            entries = [
                {"Id": str(place), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for place, receipt in enumerate(held[first : first + _AT_ONCE])
            ]
            try:
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            except _FAILURES as exc:
                _log.warning("dead messages stay hidden for a while", extra={"cause": type(exc).__name__})

    def _receive(self, number: int) -> list[DeadMessage]:
        with _told("dead messages not read"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=number,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=WAIT_S,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["SentTimestamp"],
            )
        return [_message(message) for message in answer.get("Messages", ())]


class DeadQueue:
    """One such queue."""

    def __init__(self, client: Any, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._url = url
        self._clock = clock

    @classmethod
    def of(cls, client: Any, queue_url: str) -> "DeadQueue":
        """The dead-letter queue to which SQS itself moves what this queue cannot get rid of; raises QueueUnavailable.

        It lies beside its queue, in the same account and region.
        """
        with _told("redrive policy not read"):
            answer = client.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["RedrivePolicy"])
        arn: str = json.loads(answer["Attributes"]["RedrivePolicy"])["deadLetterTargetArn"]
        return cls(client, f"{queue_url.rpartition('/')[0]}/{arn.rpartition(':')[2]}")

    def count(self) -> int:
        """About how many messages lie there; raises QueueUnavailable."""
        with _told("dead messages not counted"):
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=list(_COUNTS))
        return sum(int(answer["Attributes"][name]) for name in _COUNTS)

    @contextmanager
    def visit(self, *, limit: int) -> Iterator[Visit]:
        """Look through at most so many messages; what was not deleted is given back. Raises QueueUnavailable."""
        visit = Visit(self._client, self._url, limit=limit, clock=self._clock)
        try:
            yield visit
        finally:
            visit.end()


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except _FAILURES as exc:
        raise QueueUnavailable(f"{what}: {type(exc).__name__}") from exc


def _message(message: Mapping[str, Any]) -> DeadMessage:
    stated = message.get("MessageAttributes", {})
    return DeadMessage(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        attributes={name: str(value.get("StringValue", "")) for name, value in stated.items()},
        sent_at=datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
    )
