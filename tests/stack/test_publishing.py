"""Events through the deployed template: a change goes out on the stack's own bus and stands in the record's story."""

import json

import pytest
from typer.testing import CliRunner

from cli.deployment import Deployment
from cli.main import app
from tests.stack.running import Stack


def test_a_change_is_published_on_the_stacks_bus_and_stands_in_its_records_story(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deployment, "find", lambda *_: stack.deployment)
    invoice = stack.create("invoices")
    stack.until_equal("invoices", invoice)
    waiting = "SELECT sequence FROM tds.outbox WHERE entity = 'invoices' AND id = %s ORDER BY event_id"
    assert stack.query(waiting, [invoice["invoice_id"]])[0] == (1,)
    done = stack.deployment.invoke(stack.resource("Housekeeping"), {"mode": "housekeeping"})
    assert done["publish.published"] > 0
    assert stack.query(waiting, [invoice["invoice_id"]]) == []

    result = CliRunner().invoke(app, ["trace", "invoices", invoice["invoice_number"].lower(), "--json"])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["id"]) == (0, invoice["invoice_id"])
    (created,) = [entry for entry in told["story"] if entry.get("outcome") == "created"]
    assert (created["source"], created["webhook"], created["sequence"]) == ("webhook", "invoices/created", 1)
    assert not [entry for entry in told["story"] if entry["what"] == "unpublished"]
