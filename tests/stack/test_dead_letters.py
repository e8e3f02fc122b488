"""Dead things through the deployed template: poison messages, an unreadable webhook, a failed run, a parked request."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.deployment import Deployment
from cli.main import app
from tests.integration.road import document
from tests.stack.running import Json, Stack, wait_for

KEYS = {"id", "where", "entity", "ids", "reason", "first_seen", "redrives", "trace_id"}


@pytest.fixture(autouse=True)
def nothing_dead(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The commands reach this stack; what is dead before and after is nobody's."""
    monkeypatch.setattr(Deployment, "find", lambda *_: stack.deployment)
    drop_all()
    yield
    drop_all()


def tds(*arguments: str, code: int = 0) -> Any:
    """The JSON that a command prints."""
    result = CliRunner().invoke(app, ["dlq", *arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def drop_all() -> None:
    if tds("list"):
        tds("drop", "--all")


def listed(count: int = 1) -> list[Json]:
    """The list, once it holds so many."""
    found: list[Json] = []

    def is_there() -> bool:
        found[:] = tds("list")
        return len(found) == count

    wait_for(is_there, lambda: f"{len(found)} of {count} are dead: {found}")
    return found


def send(stack: Stack, entity: str, body: Json | str) -> None:
    """Put a message on an entity's queue, as nobody should."""
    text = body if isinstance(body, str) else json.dumps(body, default=str)
    url = stack.deployment.output(f"{entity}QueueUrl")
    stack.cloud.client("sqs").send_message(QueueUrl=url, MessageBody=text)


def housekeep(stack: Stack) -> Json:
    """Run housekeeping once, as its schedule does."""
    return stack.deployment.invoke(stack.resource("Housekeeping"), {"mode": "housekeeping"})


def test_a_poison_message_is_listed_shown_redriven_and_dropped(stack: Stack) -> None:
    poison = stack.create("invoices", webhook=False)
    stack.send("invoices/created", {"invoice": poison | {"date": "the day after tomorrow"}})
    [dead] = listed()
    assert dead.keys() == KEYS
    assert (dead["where"], dead["entity"], dead["ids"]) == ("dead_letters", "invoices", [poison["invoice_id"]])
    assert (dead["redrives"], "date" in dead["reason"]) == (0, True)
    assert tds("list") == [dead], "looking takes nothing"
    stack.until_equal("invoices", poison)

    shown = tds("show", dead["id"])
    assert json.loads(shown["payload"])["document"]["date"] == "the day after tomorrow"

    assert tds("redrive", dead["id"]) == {"ok": True, "settled": [dead["id"]], "stays": {}}
    [again] = listed()
    assert (again["redrives"], again["first_seen"], again["id"] != dead["id"]) == (1, dead["first_seen"], True)

    assert tds("drop", again["id"])["ok"] is True
    assert tds("list") == []
    assert list(tds("drop", again["id"], code=1)["stays"]) == [again["id"]]
    operations = stack.query(
        "SELECT operation, ids FROM tds.operations WHERE subject = ANY(%s) ORDER BY at", [[dead["id"], again["id"]]]
    )
    assert operations == [("redrive", [poison["invoice_id"]]), ("drop", [poison["invoice_id"]])]


def test_housekeeping_drives_a_poison_message_back_three_times_and_then_leaves_it(stack: Stack) -> None:
    send(stack, "Invoices", "not json at all")
    [dead] = listed()
    for redrives in (1, 2, 3):

        def is_back(wanted: int = redrives) -> bool:
            housekeep(stack)
            return [one["redrives"] for one in tds("list")] == [wanted]

        wait_for(is_back, f"not driven back {redrives} times", timeout_s=60)
    done = housekeep(stack)
    assert not any(name.startswith("redrive") for name in done), done
    [left] = tds("list")
    assert (left["redrives"], left["first_seen"]) == (3, dead["first_seen"])


def test_an_unreadable_webhook_shows_its_body_and_stays_until_it_is_understood(stack: Stack) -> None:
    stack.send("invoices/created", b'{"invoice": {"total": 5}}')
    [dead] = listed()
    assert (dead["where"], dead["entity"], dead["ids"]) == ("unrouted", "invoices", [])
    assert tds("show", dead["id"])["payload"] == '{"invoice": {"total": 5}}'
    assert list(tds("redrive", dead["id"], code=1)["stays"]) == [dead["id"]]

    record = f"7{secrets.randbelow(10**17):017}"
    note = json.loads(stack.take("UnroutedQueue")[0]["body"])
    body = json.dumps({"invoice": document("invoices", record)}, default=str).encode()
    stack.cloud.client("s3").put_object(Bucket=note["bucket"], Key=note["key"], Body=body)
    url = stack.deployment.output("UnroutedQueueUrl")
    stack.cloud.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(note))
    [dead] = listed()
    assert tds("redrive", dead["id"])["ok"] is True
    stack.until_row("invoices", record, "zoho")
    assert tds("list") == []


def test_a_failed_run_is_listed_and_started_again(stack: Stack) -> None:
    name = stack.deployment.output("BackfillFunctionName")
    stack.cloud.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=b'{"mode": "dance"}')
    [dead] = listed()
    assert dead["where"] == "failed_runs"
    assert dead["reason"].startswith("dance: ")
    assert dead["reason"].endswith("unknown mode 'dance'")
    assert tds("redrive", dead["id"])["ok"] is True
    assert listed()[0]["id"] != dead["id"]


def test_a_parked_request_is_fetched_when_it_is_redriven(stack: Stack) -> None:
    made = stack.create("invoices", webhook=False)
    stack.query(
        """
        INSERT INTO tds.backlog (entity, id, priority, cause, attempts, parked_at, not_before, reason)
        VALUES ('invoices', %s, 6, 'test', 6, now(), now() + interval '1 day', 'ZohoUnavailable: HTTP 502')
        """,
        [made["invoice_id"]],
    )
    [dead] = listed()
    assert (dead["where"], dead["id"]) == ("backlog", f"backlog/invoices/{made['invoice_id']}")
    assert tds("redrive", "--all", "--where", "backlog")["ok"] is True
    stack.until_equal("invoices", made)
    assert tds("list") == []
