"""The doctor on the deployed stack: what it says there, and what it must not call good."""

from tds_core.zoho import scopes
from tests.stack.running import Stack

EMULATED = {("alarm e-mail", ""), ("AWS", "rights"), ("AWS", "network"), ("AWS", "alarms firing")}


def test_a_deployed_stack_is_well_as_far_as_an_emulator_can_show(stack: Stack) -> None:
    document = stack.create("invoices")
    stack.until_row("invoices", document["invoice_id"], "status")
    told = stack.deployment.ask("doctor", {})
    grades = {(line["check"], line["about"]): line["grade"] for line in told["checks"]}
    assert told["ok"] is True, told
    assert {grades["Zoho", scope] for scope in scopes.needed()} == {"good"}
    assert [grades[check, ""] for check in ("migrations", "role", "receiver", "queues", "alarms")] == ["good"] * 5
    assert grades["webhooks", "Invoices"] == "good"
    assert {line for line, grade in grades.items() if grade == "not checked"} == EMULATED
    assert {grade for (check, _), grade in grades.items() if check == "schedule"} == {"look"}, "this stack's are off"
