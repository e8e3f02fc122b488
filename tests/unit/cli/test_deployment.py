"""A command finds its stack, locally or on AWS, and failures of the way there are told in one line."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from cli.deployment import Deployment
from cli.failure import CommandFailed, ExitCode

OUTPUTS = {
    "ApiUrl": "https://example.org/live",
    "ConsoleFunctionName": "tds-Console",
    "WebhookSecretArn": "arn:secret",
    "InvoicesQueueUrl": "queue/invoices",
    "InvoicesDeadLetterQueueUrl": "queue/invoices-dead",
    "UnroutedQueueUrl": "queue/unrouted",
    "FailedRunsQueueUrl": "queue/failed",
}


class FakeAws:
    """The four services that a command calls."""

    def __init__(self) -> None:
        self.answer: Any = {"ok": True, "result": {"seen": 1}}
        self.function_error = ""
        self.waiting: dict[str, tuple[int, int]] = {}
        self.made: list[tuple[str, str | None]] = []

    def client(self, service: str, *, region_name: str | None = None, **_: Any) -> "FakeAws":
        self.made.append((service, region_name))
        return self

    def describe_stacks(self, *, StackName: str) -> Any:  # noqa: N803 - botocore's spelling
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in OUTPUTS.items()]
        return {"Stacks": [{"StackName": StackName, "Outputs": outputs}]}

    def invoke(self, **_: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        answer = {"Payload": BytesIO(json.dumps(self.answer).encode())}
        return answer | ({"FunctionError": self.function_error} if self.function_error else {})

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> Any:  # noqa: N803
        values = self.waiting.get(QueueUrl, (0, 0))
        return {"Attributes": dict(zip(AttributeNames, map(str, values), strict=True))}

    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803
        return {"SecretString": json.dumps({"current": f"of {SecretId}", "previous": "old"})}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> FakeAws:
    fake = FakeAws()
    monkeypatch.setattr(boto3, "client", fake.client)
    return fake


def test_on_aws_everything_comes_from_the_stacks_outputs(aws: FakeAws) -> None:
    deployment = Deployment.find("tds-core", "eu-central-1")
    assert deployment.api_url == "https://example.org/live"
    assert deployment.webhook_secret() == "of arn:secret"
    assert deployment.ask("status", {}) == {"seen": 1}
    assert {region for _, region in aws.made} == {"eu-central-1"}


def test_queues_of_the_living_and_of_the_dead_are_told_apart(aws: FakeAws) -> None:
    aws.waiting = {"queue/invoices": (2, 3), "queue/invoices-dead": (1, 0), "queue/unrouted": (0, 4)}
    deployment = Deployment.find("tds-core")
    assert deployment.queued() == {"Invoices": 5}
    assert deployment.dead_letters() == {"InvoicesDeadLetter": 1, "Unrouted": 4}


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("UnknownEntity", ExitCode.WRONG_USAGE),
        ("InvalidId", ExitCode.WRONG_USAGE),
        ("InvalidText", ExitCode.WRONG_USAGE),
        ("UnknownCommand", ExitCode.WRONG_USAGE),
        ("UnknownProduct", ExitCode.WRONG_USAGE),
        ("NoDeadLetter", ExitCode.NOT_OK),
        ("DatabaseUnavailable", ExitCode.NOT_OK),
    ],
)
def test_a_refusal_of_the_console_is_wrong_usage_or_not_ok(aws: FakeAws, reason: str, code: ExitCode) -> None:
    aws.answer = {"ok": False, "error": {"reason": reason, "message": "no entity 'x'"}}
    with pytest.raises(CommandFailed, match=f"{reason}: no entity 'x'") as failure:
        Deployment.find("tds-core").ask("backfill", {"entities": ["x"]})
    assert failure.value.code == code


def test_a_function_that_cannot_be_reached_is_unreachable(aws: FakeAws) -> None:
    aws.answer = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    with pytest.raises(CommandFailed, match="cannot reach the stack tds-core") as failure:
        Deployment.find("tds-core").ask("status", {})
    assert failure.value.code == ExitCode.UNREACHABLE


def test_a_function_that_breaks_is_no_answer(aws: FakeAws) -> None:
    aws.answer, aws.function_error = {"errorMessage": "no such table"}, "Unhandled"
    with pytest.raises(CommandFailed, match="no such table"):
        Deployment.find("tds-core").invoke("migrate", {})


def test_a_missing_output_is_named(aws: FakeAws) -> None:
    with pytest.raises(CommandFailed, match="the stack tds-core has no output MigrateFunctionName"):
        Deployment.find("tds-core").output("MigrateFunctionName")


def test_a_region_alone_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TDS_STATE_DIR", str(tmp_path))
    with pytest.raises(CommandFailed, match="--region goes with --stack"):
        Deployment.find("", "eu-central-1")
