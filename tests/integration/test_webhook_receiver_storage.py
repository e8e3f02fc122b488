"""The function against SQS, S3 and Secrets Manager: what is stored where, and what happens when they fail."""

import json
import logging
import runpy
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tds_core import aws, lossless_json
from tds_core.errors import ConfigurationError, QueueUnavailable
from tds_core.zoho.routes import ENTITIES
from tests.webhook_events import ORGANIZATION, PREVIOUS, SECRET, webhook_event

APP = Path(__file__).parents[2] / "functions" / "webhook_receiver" / "app.py"
BUCKET = "unrouted-bucket"


@dataclass
class Cloud:
    """The receiver's queues, bucket and secret."""

    sqs: Any
    s3: Any
    secrets: Any
    queue_urls: dict[str, str]
    secret_arn: str

    def messages(self, name: str) -> list[Any]:
        found = self.sqs.receive_message(QueueUrl=self.queue_urls[name], MaxNumberOfMessages=10).get("Messages", [])
        return [lossless_json.loads(message["Body"]) for message in found]

    def rotate(self, **values: str) -> None:
        self.secrets.put_secret_value(SecretId=self.secret_arn, SecretString=json.dumps(values))


class Function:
    """The function as Lambda starts it."""

    def __init__(self) -> None:
        self.handler = runpy.run_path(str(APP))["handler"]

    def post(self, *arguments: Any, **options: Any) -> int:
        status: int = self.handler(webhook_event(*arguments, **options), None)["statusCode"]
        return status


def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test"}
    for name, value in values.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    credentials(monkeypatch)
    with mock_aws():
        sqs, s3, secrets = boto3.client("sqs"), boto3.client("s3"), boto3.client("secretsmanager")
        queue_urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in (*ENTITIES, "unrouted")}
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        text = json.dumps({"current": SECRET, "previous": PREVIOUS})
        arn = secrets.create_secret(Name="webhook", SecretString=text)["ARN"]
        for entity in ENTITIES:
            monkeypatch.setenv(f"TDS_QUEUE_NAME_{entity.capitalize()}", entity)
        monkeypatch.setenv("TDS_UNROUTED_QUEUE_URL", queue_urls["unrouted"])
        monkeypatch.setenv("TDS_UNROUTED_BUCKET", BUCKET)
        monkeypatch.setenv("TDS_WEBHOOK_SECRET_ARN", arn)
        monkeypatch.setenv("TDS_ZOHO_ORGANIZATION_ID", ORGANIZATION)
        yield Cloud(sqs=sqs, s3=s3, secrets=secrets, queue_urls=queue_urls, secret_arn=arn)


@pytest.fixture(autouse=True)
def logging_left_as_found() -> Iterator[None]:
    package = logging.getLogger("tds_core")
    before = package.handlers, package.level, package.propagate
    yield
    package.handlers, package.level, package.propagate = before
    logging.root.manager.loggerDict.pop("webhook_receiver", None)  # it would keep writing to this test's output


@pytest.fixture
def function(cloud: Cloud) -> Function:
    return Function()


def test_a_webhook_is_on_its_queue_when_it_is_answered(cloud: Cloud, function: Function) -> None:
    body = '{"item": {"item_id": 9007199254740993123, "name": "كيبل \\uffff", "rate": 0.0550}}'.encode()
    assert function.post("items/created", body) == 202
    (message,) = cloud.messages("products")
    assert (message["op"], message["ids"], message["document"]["name"]) == (
        "upsert",
        ["9007199254740993123"],
        "كيبل \uffff",
    )
    assert b"0.0550" in lossless_json.dumps(message).encode()


def test_a_megabyte_travels_whole_and_more_as_its_id(cloud: Cloud, function: Function) -> None:
    assert function.post(body=b'{"invoice": {"invoice_id": "1", "notes": "%s"}}' % (b"x" * 999_000)) == 202
    assert function.post(body=b'{"invoice": {"invoice_id": "2", "notes": "%s"}}' % (b"x" * 1_200_000)) == 202
    stored = {message["ids"][0]: message["op"] for message in cloud.messages("invoices") + cloud.messages("invoices")}
    assert stored == {"1": "upsert", "2": "request"}


def test_what_cannot_be_understood_is_in_the_bucket_with_its_key_on_the_queue(cloud: Cloud, function: Function) -> None:
    body = b"\x00\xff not JSON"
    assert function.post(body=body, content_type="text/plain") == 202
    (note,) = cloud.messages("unrouted")
    stored = cloud.s3.get_object(Bucket=BUCKET, Key=note["key"])
    assert (stored["Body"].read(), stored["ContentType"]) == (body, "text/plain")


def test_a_queue_that_is_gone_means_503_and_the_others_go_on(cloud: Cloud, function: Function) -> None:
    cloud.sqs.delete_queue(QueueUrl=cloud.queue_urls["invoices"])
    assert function.post("invoices", b'{"invoice_id": 1}') == 503
    assert function.post("items", b'{"item_id": 1}') == 202


def test_a_bucket_that_is_gone_means_503(cloud: Cloud, function: Function) -> None:
    cloud.s3.delete_bucket(Bucket=BUCKET)
    assert function.post(body=b"?") == 503
    assert not cloud.messages("unrouted")


def test_a_rotated_secret_counts_at_once(cloud: Cloud, function: Function) -> None:
    assert function.post(secret="nextSecret001") == 401
    cloud.rotate(current="nextSecret002", previous=SECRET)
    fresh = Function()
    assert fresh.post(secret="nextSecret002") == 202
    cloud.rotate(current="nextSecret003", previous="nextSecret002")
    assert fresh.post(secret="nextSecret003") == 202
    assert fresh.post(secret=SECRET) == 401


def test_one_log_line_and_one_metric_line_per_webhook(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    Function().post("invoices", b'{"invoice_id": 7}')
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    log, metric = lines
    assert (log["message"], log["service"], log["entity"], log["id"]) == (
        "webhook stored",
        "webhook_receiver",
        "invoices",
        "7",
    )
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "TDS"
    assert metric["service"] == "webhook_receiver"
    assert {name: metric[f"Webhooks{name}"] for name in ("Received", "Rejected", "Unrouted")} == {
        "Received": [1.0],
        "Rejected": [0.0],
        "Unrouted": [0.0],
    }


def test_a_secret_that_cannot_be_read_stops_it_at_its_start(cloud: Cloud) -> None:
    cloud.secrets.delete_secret(SecretId=cloud.secret_arn, ForceDeleteWithoutRecovery=True)
    with pytest.raises(ConfigurationError):
        Function()


def test_a_silent_endpoint_is_not_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        credentials(monkeypatch)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        storage = aws.Storage()
        begun = time.monotonic()
        with pytest.raises(QueueUnavailable):
            storage.send(f"{url}/1/queue", "{}")
    assert time.monotonic() - begun < 8


def test_a_refused_connection_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(QueueUnavailable) as caught:
        aws.Storage().send("http://127.0.0.1:9/1/queue", "private words")
    assert "private words" not in str(caught.value)


def test_what_aws_says_about_a_message_is_not_repeated(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "InvalidMessageContents", "Message": "private words"}}, "SendMessage")

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    with pytest.raises(QueueUnavailable, match=r"^message not stored: InvalidMessageContents$"):
        aws.Storage().send(cloud.queue_urls["invoices"], "private words")
