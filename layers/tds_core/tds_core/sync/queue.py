"""The processor's own queue: postponing, dead letters, and waking the drain."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tds_core import aws
from tds_core.errors import QueueUnavailable
from tds_core.settings import Settings

_log = logging.getLogger(__name__)
_FAILURES = (BotoCoreError, ClientError)


class EntityQueue:
    """One entity's queue and its dead-letter queue."""

    def __init__(self, settings: Settings) -> None:
        settings.require("queue_url", "dead_letter_queue_url")
        self._settings = settings
        self._client = aws.client("sqs")

    def postpone(self, record: Mapping[str, Any]) -> None:
        """Hide the message for a time that doubles with each delivery; if that fails, its visibility runs out."""
        deliveries = int(record["attributes"]["ApproximateReceiveCount"])
        wait_s = self._settings.visibility_base_s * 2 ** min(deliveries - 1, 10)
        try:
            self._client.change_message_visibility(
                QueueUrl=self._settings.queue_url,
                ReceiptHandle=record["receiptHandle"],
                VisibilityTimeout=min(wait_s, self._settings.visibility_limit_s),
            )
        except _FAILURES as exc:
            _log.warning("message not postponed", extra={"cause": type(exc).__name__})

    def bury(self, record: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """Send the message as it came to the dead-letter queue; raises QueueUnavailable."""
        send(self._client, self._settings.dead_letter_queue_url, record["body"], attributes)


class DrainWaker:
    """Invokes the backfill function's drain without waiting for it."""

    def __init__(self, settings: Settings) -> None:
        self._function = settings.require("backfill_function").backfill_function
        self._client = aws.client("lambda")

    def wake(self) -> None:
        """Start the drain now; when that fails the schedule starts it within a minute."""
        try:
            self.start("drain")
        except QueueUnavailable as exc:
            _log.warning("drain not woken", extra={"cause": str(exc)})

    def start(self, mode: str, **event: Any) -> None:
        """Start a mode of the backfill function; raises QueueUnavailable when nobody took the call."""
        payload = json.dumps({"mode": mode, **event})
        try:
            self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=payload)
        except _FAILURES as exc:
            raise QueueUnavailable(f"{mode} not started: {type(exc).__name__}") from exc


def send(client: Any, url: str, body: str, attributes: Mapping[str, str]) -> None:
    """Put a message on a queue, with its attributes that are not empty; raises QueueUnavailable unless it is stored."""
    stated = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value}
    try:
        client.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=stated)
    except _FAILURES as exc:
        raise QueueUnavailable(f"message not stored: {type(exc).__name__}") from exc
