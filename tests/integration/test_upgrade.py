"""The migrations as a custom resource: it always answers, and says how it went."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tds_core.database import migrate as migrations
from tds_core.errors import ConfigurationError
from tds_core.sync.custom_resource import CustomResource
from tds_core.sync.upgrade import told as said

CREATE = {
    "RequestType": "Create",
    "ResponseURL": "https://cloudformation.test/answer?signature=x",
    "StackId": "arn:stack",
    "RequestId": "request-1",
    "LogicalResourceId": "Migrations",
}


class Sent:
    """What CloudFormation was told."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, url: str, body: bytes) -> None:
        self.answers.append((url, json.loads(body)))


def resource(apply: Callable[[], list[str]], *, send: Sent | None = None) -> CustomResource:
    """The migrations, applied so."""
    return CustomResource(lambda: said(apply), name="tds-migrations", send=send)


def failing(error: Exception) -> Callable[[], list[str]]:
    def apply() -> list[str]:
        raise error

    return apply


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_success_is_told_with_what_was_applied(kind: str) -> None:
    sent = Sent()
    resource(lambda: ["0001_machinery", "0002_zoho"], send=sent).handle(CREATE | {"RequestType": kind})
    [(url, told)] = sent.answers
    assert url == CREATE["ResponseURL"]
    assert told == {
        "Status": "SUCCESS",
        "Reason": "applied 0001_machinery, 0002_zoho",
        "StackId": "arn:stack",
        "RequestId": "request-1",
        "LogicalResourceId": "Migrations",
        "PhysicalResourceId": "tds-migrations",
    }


def test_the_resource_keeps_its_name_through_updates() -> None:
    sent = Sent()
    resource(list, send=sent).handle(CREATE | {"RequestType": "Update", "PhysicalResourceId": "known"})
    assert sent.answers[0][1]["PhysicalResourceId"] == "known"
    assert sent.answers[0][1]["Reason"] == "applied nothing new"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(psycopg.errors.SyntaxError("syntax error at or near FROB"), id="sql"),
        pytest.param(psycopg.OperationalError("connection refused"), id="no-database"),
        pytest.param(ConfigurationError("the secret cannot be read"), id="no-secret"),
        pytest.param(KeyError("password"), id="half-a-secret"),
        pytest.param(UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), id="broken-file"),
        pytest.param(FileNotFoundError("migrations"), id="no-file"),
        pytest.param(AttributeError("bug"), id="bug"),
    ],
)
def test_every_failure_is_told_as_failed_with_its_reason(error: Exception) -> None:
    sent = Sent()
    answer = resource(failing(error), send=sent).handle(CREATE)
    [(_, told)] = sent.answers
    assert told["Status"] == answer["Status"] == "FAILED"
    assert told["Reason"].startswith(type(error).__name__)


def test_a_long_reason_fits_into_cloudformations_answer() -> None:
    sent = Sent()
    resource(failing(psycopg.DataError("x" * 10_000)), send=sent).handle(CREATE)
    assert len(json.dumps(sent.answers[0][1])) < 4096


def test_delete_does_nothing_and_succeeds() -> None:
    sent = Sent()
    resource(failing(AssertionError("applied")), send=sent).handle(CREATE | {"RequestType": "Delete"})
    assert sent.answers[0][1]["Status"] == "SUCCESS"


@pytest.mark.parametrize("event", [{}, {"RequestType": "Update"}])
def test_a_direct_invocation_is_answered_directly(event: dict[str, Any]) -> None:
    sent = Sent()
    assert resource(lambda: ["0009_new"], send=sent).handle(event) == {
        "Status": "SUCCESS",
        "Reason": "applied 0009_new",
    }
    assert resource(failing(psycopg.Error("no")), send=sent).handle(event)["Status"] == "FAILED"
    assert sent.answers == []


def test_on_a_real_database_it_applies_once_and_says_so(owner_conninfo: str) -> None:
    upgrade = resource(lambda: migrations.migrate(owner_conninfo))
    assert upgrade.handle({}) == {"Status": "SUCCESS", "Reason": "applied nothing new"}
    with psycopg.connect(owner_conninfo, autocommit=True) as owner:
        owner.execute("UPDATE tds.migrations SET hash = 'other' WHERE name = '0001_machinery'")
    answer = upgrade.handle({})
    assert answer["Status"] == "FAILED"
    assert "0001_machinery was changed" in answer["Reason"]
