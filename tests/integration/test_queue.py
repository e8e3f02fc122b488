"""The processor's queue on SQS, and waking the backfill function."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from moto import mock_aws

from tds_core import aws
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.entities import REGISTRY
from tds_core.errors import ConfigurationError, QueueUnavailable
from tds_core.settings import Settings
from tds_core.sync.process import Processor
from tds_core.sync.queue import DrainWaker, EntityQueue
from tests.integration.road import Waker, document, message, record

URL = "https://queue.test/invoices"
pytestmark = pytest.mark.usefixtures("aws_credentials")
SETTINGS = Settings(queue_url=URL, dead_letter_queue_url="https://queue.test/dead")


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("sqs")


def settings_of(sqs: Any) -> Settings:
    """Settings with two new queues."""
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("invoices", "dead")]
    return Settings(queue_url=urls[0], dead_letter_queue_url=urls[1])


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
    return list(answer.get("Messages", []))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """The client that the queue makes for itself."""
    client = boto3.client("sqs")
    monkeypatch.setattr(aws, "client", lambda service: client)
    with Stubber(client) as stubber:
        yield stubber


@pytest.mark.parametrize(
    ("deliveries", "wait_s"), [(1, 60), (2, 120), (3, 240), (4, 480), (5, 900), (12, 900), (1000, 900)]
)
def test_a_message_is_hidden_twice_as_long_with_each_delivery(stub: Stubber, deliveries: int, wait_s: int) -> None:
    one = record("{}", deliveries=deliveries)
    asked = {"QueueUrl": URL, "ReceiptHandle": one["receiptHandle"], "VisibilityTimeout": wait_s}
    stub.add_response("change_message_visibility", {}, asked)
    EntityQueue(SETTINGS).postpone(one)
    stub.assert_no_pending_responses()


def test_the_first_and_the_longest_wait_are_settings(stub: Stubber) -> None:
    queue = EntityQueue(replace(SETTINGS, visibility_base_s=1, visibility_limit_s=3))
    for deliveries, wait_s in ((1, 1), (2, 2), (3, 3), (9, 3)):
        one = record("{}", deliveries=deliveries)
        asked = {"QueueUrl": URL, "ReceiptHandle": one["receiptHandle"], "VisibilityTimeout": wait_s}
        stub.add_response("change_message_visibility", {}, asked)
        queue.postpone(one)


def test_a_message_that_cannot_be_postponed_is_left_to_its_visibility(
    stub: Stubber, caplog: pytest.LogCaptureFixture
) -> None:
    stub.add_client_error("change_message_visibility", "ReceiptHandleIsInvalid")
    with caplog.at_level(logging.WARNING):
        EntityQueue(SETTINGS).postpone(record("{}"))
    assert "message not postponed" in caplog.messages


def test_a_dead_letter_carries_its_body_and_says_why(sqs: Any) -> None:
    settings = settings_of(sqs)
    attributes = {"reason": "InvalidDocument: Invoice: cannot read date", "ids": "", "redrives": "0", "trace_id": "1-x"}
    EntityQueue(settings).bury(record("not json ✓"), attributes)
    [dead] = received(sqs, settings.dead_letter_queue_url)
    assert dead["Body"] == "not json ✓"
    stated = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
    assert stated == {name: value for name, value in attributes.items() if value}


def test_a_dead_letter_queue_that_is_not_there_is_no_success(sqs: Any) -> None:
    settings = Settings(queue_url=URL, dead_letter_queue_url="https://sqs.eu-central-1.amazonaws.com/1/x")
    with pytest.raises(QueueUnavailable):
        EntityQueue(settings).bury(record("{}"), {"reason": "x"})


def test_a_queue_without_its_urls_refuses_to_start() -> None:
    with pytest.raises(ConfigurationError, match="TDS_DEAD_LETTER_QUEUE_URL"):
        EntityQueue(Settings(queue_url=URL))


def test_a_poison_message_travels_to_the_dead_letter_queue_with_all_attributes(sqs: Any, database: Database) -> None:
    settings, waker = settings_of(sqs), Waker()
    processor = Processor(REGISTRY["invoices"], mirror=Mirror(database), queue=EntityQueue(settings), waker=waker)
    strange = message("invoices", document("invoices", "901", date="31/12/2026"), trace_id="a\x00b\x1f" + "x" * 500)
    assert processor.handle({"Records": [record(strange)]}) == {"batchItemFailures": []}
    [dead] = received(sqs, settings.dead_letter_queue_url)
    assert json.loads(dead["Body"])["ids"] == ["901"]
    assert set(dead["MessageAttributes"]) == {"reason", "entity", "ids", "first_seen", "trace_id", "redrives"}
    assert waker.wakes == 1


def test_waking_invokes_the_backfill_function_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("lambda")
    monkeypatch.setattr(aws, "client", lambda service: client)
    with Stubber(client) as stubber:
        for payload in ('{"mode": "drain"}', '{"mode": "poll", "force": true}'):
            asked = {"FunctionName": "backfill", "InvocationType": "Event", "Payload": payload}
            stubber.add_response("invoke", {"StatusCode": 202}, asked)
        waker = DrainWaker(Settings(backfill_function="backfill"))
        waker.wake()
        waker.start("poll", force=True)
        stubber.assert_no_pending_responses()


def test_a_wake_that_fails_is_left_to_the_schedule(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Unreachable:
        def invoke(self, **_: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://lambda.test")

    monkeypatch.setattr(aws, "client", lambda service: Unreachable())
    with caplog.at_level(logging.WARNING):
        DrainWaker(Settings(backfill_function="backfill")).wake()
    assert "drain not woken" in caplog.messages
