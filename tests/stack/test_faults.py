"""Whatever Zoho, AWS or PostgreSQL do to the deployed template: by itself the mirror becomes Zoho's equal again.

Each test lets faults befall a working hour of which half the webhooks are lost, ends them, and lets the stack do what
its schedules would. Then every document and total is equal, nothing is dead that should not be, and no limit of Zoho's
was exceeded. The calls and tokens that each one cost stand at the end of the tests' output.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from tds_core import lossless_json
from tds_core.entities import REGISTRY
from tests.integration.road import document, message
from tests.stack import history
from tests.stack.comparison import (
    FAIR_WEATHER,
    assert_equal,
    assert_limits_were_kept,
    assert_nothing_is_dead,
    crash_database,
    empty,
    is_answering,
    kill_functions,
    locked,
    recover,
    waits_for_lock,
)
from tests.stack.running import Json, Stack, wait_for

MINUTE = 6_000
STORM = FAIR_WEATHER | {"loss": 0.5, "duplication": 0.3, "reordering": 0.3, "reorder_s": 1, "concurrency": 3}
WORK = {"events": 16, "per_second": 8, "mix": {"create": 30, "edit": 50, "pay": 20}}
DOWN_S = 8.0

Record = Callable[[str, object], None]
TROUBLES: dict[str, list[Json]] = {
    "throttled": [
        {"kind": "limit", "code": 44, "path": "/bills"},
        {"kind": "limit", "code": 1070, "path": "/invoices/*", "times": 3},
        {"kind": "limit", "code": 1070, "path": "/customerpayments"},
    ],
    "broken answers": [
        {"kind": "server_error", "status": 500, "path": "/invoices"},
        {"kind": "server_error", "status": 503, "path": "/contacts/*", "times": 2},
        {"kind": "html", "status": 200, "path": "/salesorders"},
        {"kind": "html", "status": 502, "path": "/bills/*", "times": 2},
        {"kind": "truncated", "path": "/creditnotes"},
        {"kind": "truncated", "path": "/itemdetails"},
        {"kind": "reset", "path": "/customerpayments/*", "times": 2},
        {"kind": "reset", "path": "/items"},
    ],
    "hanging and dripping": [
        {"kind": "slow", "seconds": 9, "path": "/invoices/*"},
        {"kind": "drip", "seconds": 12, "pieces": 12, "path": "/contacts"},
    ],
    "lists that lie": [
        {"kind": "ignored_filter", "path": "/invoices"},
        {"kind": "lag", "seconds": 20, "path": "/salesorders", "times": 2},
        {"kind": "lag", "seconds": 20, "path": "/creditnotes/*", "times": 2},
        {"kind": "empty_page", "path": "/customerpayments"},
        {"kind": "wrong_organisation", "path": "/bills/*"},
    ],
}


@pytest.fixture(scope="module")
def mirror(stack: Stack) -> Stack:
    """The stack with the whole history of its Zoho."""
    stack.zoho("DELETE", "/faults")
    stack.zoho("PUT", "/webhooks", FAIR_WEATHER)
    empty(stack)
    assert stack.backfill().is_complete
    return stack


@pytest.fixture
def company(mirror: Stack, record_property: Record) -> Iterator[Stack]:
    """The mirror, equal to Zoho afterwards; what the test cost is told."""
    mirror.zoho("POST", "/webhooks/reset")
    mirror.zoho("POST", "/stats/reset")
    began, ((before,),) = time.monotonic(), mirror.query("SELECT clock_timestamp()")
    yield mirror
    refusals = recover(mirror)
    assert_equal(mirror)
    assert_nothing_is_dead(mirror)
    stats = mirror.zoho("GET", "/stats")
    written = "SELECT count(*) FROM tds.change_log WHERE at > %s AND outcome IN ('created', 'updated', 'deleted')"
    ((records,),) = mirror.query(written, [before])
    record_property(
        "figures",
        f"{stats['total_calls']} calls for {records} changes written, {stats['total_calls'] / max(records, 1):.1f} "
        f"each; {stats['mints']} tokens minted; {time.monotonic() - began:.0f} s",
    )
    assert_limits_were_kept(stats, refusals, per_minute=MINUTE, in_flight=history.IN_FLIGHT)


def work(stack: Stack, seed: int) -> None:
    """People at work in Zoho; half of what they do is announced."""
    stack.zoho("PUT", "/webhooks", STORM)
    stack.zoho("POST", "/activity", WORK | {"seed": seed})


def befall(stack: Stack, faults: Sequence[Json]) -> None:
    """Have the faults happen to polls, and to fetches of some documents of each entity."""
    stack.zoho("POST", "/faults", list(faults))
    for name in REGISTRY:
        stack.deployment.ask("refetch", {"name": name, "ids": list(stack.stored(name))[:3]})

    def have_happened() -> bool:
        open_ones = [fault for fault in stack.zoho("GET", "/faults")["faults"] if not fault["happened"]]
        if open_ones and "poll" not in stack.deployment.ask("status", {})["working"]:
            stack.deployment.ask("poll", {})
            time.sleep(1)
        return not open_ones

    wait_for(have_happened, lambda: f"not all happened: {stack.zoho('GET', '/faults')['faults']}", timeout_s=60)


def test_a_history_killed_with_its_function_and_its_database_goes_on_where_it_was(
    stack: Stack, record_property: Record
) -> None:
    """What was applied is not fetched again: only what was under way at each kill is."""
    stack.zoho("DELETE", "/faults")
    stack.zoho("PUT", "/webhooks", FAIR_WEATHER)
    empty(stack)
    history.begin(stack)
    for kill in (kill_functions, crash_database):
        history.until_fetched(stack, history.fetched(stack) + 20)
        assert kill(stack)
        wait_for(lambda: is_answering(stack), "PostgreSQL does not come back")
        history.run_out(stack)
    record_property("figures", history.end(stack, kills=2))


@pytest.mark.parametrize("name", TROUBLES)
def test_what_zoho_answers_wrongly_costs_nothing_but_time(company: Stack, name: str) -> None:
    work(company, seed=list(TROUBLES).index(name))
    befall(company, TROUBLES[name])


def test_what_zoho_once_falsely_says_is_gone_stays(company: Stack) -> None:
    record = deny(company, times=1)
    assert record in company.stored("purchase_orders")
    assert "deleted" not in company.story("purchase_orders", record)


def test_what_zoho_again_and_again_falsely_says_is_gone_is_back_with_the_next_walk(company: Stack) -> None:
    record = deny(company, times=2)
    assert record not in company.stored("purchase_orders"), "Zoho was not believed"
    company.backfill("purchase_orders")
    assert company.story("purchase_orders", record)[-3:] == ["deleted", "requested", "restored"]


def deny(stack: Stack, *, times: int) -> str:
    """Have Zoho say so many times that a record does not exist, beside living neighbours; returns its id."""
    record = min(stack.stored("purchase_orders"))
    stack.zoho("POST", "/faults", {"kind": "not_found", "path": f"/purchaseorders/{record}", "times": times})
    stack.deployment.ask("refetch", {"name": "purchase_orders", "ids": [record]})
    stack.follower.until_over(lambda _: None)
    assert [fault["happened"] for fault in stack.zoho("GET", "/faults")["faults"]] == [times]
    return record


def test_a_token_revoked_in_the_middle_is_replaced_once(company: Stack) -> None:
    company.query("UPDATE tds.oauth_token SET minted_at = minted_at - interval '6 minutes'")
    work(company, seed=11)
    befall(company, [{"kind": "revoked_token", "path": "/invoices/*"}])
    company.follower.until_over(lambda _: None)
    assert company.zoho("GET", "/stats")["mints"] == 1


def test_a_used_up_day_closes_for_everybody_and_opens_with_a_probe(company: Stack) -> None:
    work(company, seed=12)
    befall(company, [{"kind": "limit", "code": 45, "product": "books"}])
    wait_for(company.is_at_rest, "the stack does not come to rest", timeout_s=60)
    calls = company.zoho("GET", "/stats")["calls"]
    company.deployment.ask("poll", {})
    time.sleep(3)
    assert [day["product"] for day in company.deployment.ask("status", {})["zoho"]["days"] if day["is_closed"]] == [
        "books"
    ]
    after = company.zoho("GET", "/stats")["calls"]
    assert {path for path in after if after[path] != calls.get(path)} <= {path for path in after if "inventory" in path}
    company.query("UPDATE tds.api_budget SET probe_at = now()")  # an hour later


def test_while_zoho_is_down_the_circuit_opens_and_closes_by_itself(company: Stack) -> None:
    work(company, seed=13)
    befall(company, [{"kind": "server_error", "status": 503, "times": None}])
    wait_for(lambda: circuit(company) != "closed", "the circuit stays closed")
    began, before = time.monotonic(), company.zoho("GET", "/stats")["total_calls"]
    while time.monotonic() - began < DOWN_S:
        company.tick()
        time.sleep(1)
    asked = company.zoho("GET", "/stats")["total_calls"] - before
    assert asked <= DOWN_S / 2 + 2  # one probe in two seconds
    company.zoho("DELETE", "/faults")
    company.poll()
    wait_for(lambda: circuit(company) == "closed", "the circuit stays open")


def circuit(stack: Stack) -> str:
    return str(stack.deployment.ask("status", {})["zoho"]["circuit"])


def test_messages_delivered_again_and_again_count_once(company: Stack) -> None:
    made = company.create("invoices", webhook=False)
    edited = company.edit("invoices", made["invoice_id"], {"notes": "the later state"}, webhook=False)
    with company.held("invoices"):
        for state in (made, edited, made, edited, made):
            put(company, "Invoices", message("invoices", state))
    company.until_equal("invoices", edited)
    wait_for(company.is_at_rest, "the messages are not worked off")
    story = company.story("invoices", made["invoice_id"])
    assert len(story) >= 5
    assert story.count("created") == 1


def test_a_function_killed_inside_its_batch_loses_and_doubles_nothing(company: Stack) -> None:
    made = company.create("bills", webhook=False)
    with locked(company, "bills", made["bill_id"]):
        put(company, "Bills", message("bills", made))
        wait_for(lambda: waits_for_lock(company), "the processor does not wait for the lock")
        assert kill_functions(company, "BillsProcessor")
    company.until_equal("bills", made)
    assert company.story("bills", made["bill_id"]) == ["created"]


def put(stack: Stack, queue: str, body: Json) -> None:
    """Put a message on an entity's queue."""
    url = stack.deployment.output(f"{queue}QueueUrl")
    stack.cloud.client("sqs").send_message(QueueUrl=url, MessageBody=lossless_json.dumps(body))


def test_poison_is_dead_alone_and_its_record_is_right_all_the_same(company: Stack) -> None:
    made = company.create("invoices", webhook=False)
    company.send("invoices/created", {"invoice": made | {"date": "the day after tomorrow"}})
    company.send("invoices/created", {"invoice": document("invoices", "71234567890123456")})
    company.send("invoices/deleted", {"invoice": {"invoice_id": "7" * 18}})
    put(company, "Invoices", message("invoices", ids=["no id"]))
    company.until_equal("invoices", made)
    wait_for(lambda: company.deployment.dead_letters().get("InvoicesDeadLetter") == 2, "the poison is not dead")
    assert {dead["attributes"]["entity"] for dead in company.take("InvoicesDeadLetterQueue")} == {"invoices"}
    company.deployment.ask("refetch", {"name": "invoices", "ids": ["71234567890123456"]})


def test_rows_that_move_between_pages_are_all_found(company: Stack) -> None:
    """Rows are created, then deleted, while a list of several pages is read."""
    plan = {"events": 200, "per_second": 0, "mix": {"create": 1}, "entities": ["purchase_orders"], "webhook": False}
    company.zoho("POST", "/activity", plan)
    wait_for(lambda: len(company.documents("purchase_orders")) > 200, "nobody works")
    for rows in (3, -2):
        fault = {"kind": "moved_page", "path": "/purchaseorders", "rows": rows, "oldest": True, "webhook": True}
        company.zoho("POST", "/faults", fault)
        company.backfill("purchase_orders")
    assert [fault["happened"] for fault in company.zoho("GET", "/faults")["faults"]] == [1, 1]
