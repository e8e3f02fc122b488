"""Queues and a bucket as the template makes them, in memory, with what puts dead things there."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3

from tds_core import lossless_json
from tds_core.aws import Storage
from tds_core.database import backlog
from tds_core.database.connection import Database
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.dead_letters import DeadLetters, Places
from tests import zoho_fakes
from tests.integration.road import Json, Waker, document, message

ENTITIES = ("customers", "invoices", "vendors")
SEEN = "2026-03-14T09:00:00+00:00"


@dataclass
class Graveyard:
    """What is dead in one deployment."""

    database: Database
    sqs: Any
    s3: Any
    settings: Settings
    waker: Waker = field(default_factory=Waker)

    @classmethod
    def make(cls, database: Database) -> "Graveyard":
        sqs, s3 = boto3.client("sqs"), boto3.client("s3")
        s3.create_bucket(Bucket="unrouted", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        urls = [(name, _queue_with_its_dead(sqs, name)) for name in ENTITIES]
        settings = zoho_fakes.settings(
            queue_urls=tuple(urls),
            unrouted_queue_url=sqs.create_queue(QueueName="unrouted")["QueueUrl"],
            failed_runs_queue_url=sqs.create_queue(QueueName="failed-runs")["QueueUrl"],
            unrouted_bucket="unrouted",
        )
        return cls(database=database, sqs=sqs, s3=s3, settings=settings)

    @property
    def places(self) -> Places:
        return Places.of(self.settings, database=self.database, starter=self.waker, storage=Storage())

    @property
    def letters(self) -> DeadLetters:
        return DeadLetters(self.places.all, self.database)

    # -- what is dead

    def bury(self, queue: str, body: Json | str, **attributes: str) -> None:
        """A dead letter as the processor leaves it; without attributes as SQS itself does."""
        text = body if isinstance(body, str) else lossless_json.dumps(body)
        self._send(f"{queue}-dead", text, attributes)

    def poison(
        self, record: str, *, redrives: int = 0, reason: str = "InvalidDocument: Invoice: cannot read date"
    ) -> None:
        """An invoice that cannot be applied."""
        stated = {"reason": reason, "entity": "invoices", "ids": record, "first_seen": SEEN, "trace_id": "trace-1"}
        body = message("invoices", document("invoices", record, date="31/12/2026"))
        self.bury("invoices", body, **stated, redrives=str(redrives))

    def unrouted(self, body: bytes, *, module: str = "invoices", event: str = "created", query: str = "") -> None:
        """A webhook as the receiver leaves it when it does not understand it."""
        key = "unrouted/2026-03-14/trace-2"
        self.s3.put_object(Bucket="unrouted", Key=key, Body=body)
        note = {"schema": 1, "bucket": "unrouted", "key": key, "module": module, "event": event, "query": query}
        note |= {"content_type": "application/json", "reason": "InvalidDocument", "detail": "no invoice_id"}
        self._send("unrouted", json.dumps(note | {"observed_at": SEEN, "trace_id": "trace-2"}), {})

    def failed_run(self, **request: Any) -> None:
        """A run that failed, as Lambda writes it down."""
        told = {"errorType": "ScopeMissing", "errorMessage": "the token may not read books/bills"}
        record = {"version": "1.0", "timestamp": SEEN, "requestContext": {"requestId": "request-1"}}
        self._send("failed-runs", json.dumps(record | {"requestPayload": request, "responsePayload": told}), {})

    def park(self, entity: str, *ids: str) -> None:
        """Requests that were given up for now."""
        with self.database.transaction() as connection:
            backlog.request(connection, entity, ids, priority=Priority.BACKFILL, cause="test")
        self.database.execute(
            """
            UPDATE tds.backlog SET attempts = 8, lags = 1, parked_at = now(), reason = 'ZohoRejected: HTTP 400, code 2',
                not_before = now() + interval '1 day' WHERE entity = %s AND id = ANY(%s)
            """,
            (entity, list(ids)),
        )

    # -- what one sees

    def taken(self, queue: str) -> list[Json]:
        """Every message of a queue, taken off it."""
        taken: list[Json] = []
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        while answer := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for one in answer:
                stated = {name: value["StringValue"] for name, value in one.get("MessageAttributes", {}).items()}
                taken.append({"body": one["Body"], "attributes": stated})
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return taken

    def operations(self) -> list[tuple[str, str, str | None, Sequence[str]]]:
        """What was done, by whom, to which entity and ids."""
        rows = self.database.execute(
            "SELECT operator, operation, entity, ids FROM tds.operations ORDER BY operation_id"
        )
        return [(operator, operation, entity, ids) for operator, operation, entity, ids in rows]

    def _send(self, queue: str, body: str, attributes: dict[str, str]) -> None:
        stated = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items() if value}
        url = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        self.sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=stated)


def now() -> datetime:
    return datetime.now(UTC)


def _queue_with_its_dead(sqs: Any, name: str) -> str:
    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "500"})
    url: str = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    return url
