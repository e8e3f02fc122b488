"""What people see: exact amounts, and trouble that cannot be overlooked."""

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console, RenderableType

from cli import render
from cli.progress import Meter
from cli.reckoning import accounts
from tests.unit.cli.status_figures import entity, requests, run, scan, silence, status, webhooks

NOW = datetime(2026, 1, 2, 3, 6, 5, tzinfo=UTC)


def seen(part: RenderableType) -> str:
    screen = StringIO()
    Console(width=200, file=screen).print(part)
    return screen.getvalue()


def line_with(text: str, word: str) -> str:
    return next(line for line in text.splitlines() if word in line)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("0", "0"),
        ("1234567.500", "1,234,567.5"),
        ("0.055", "0.055"),
        ("100", "100"),
        ("-12.00", "-12"),
        ("123456789012345678901234567890.123", "123,456,789,012,345,678,901,234,567,890.123"),
    ],
)
def test_amounts_lose_no_digit(given: str, shown: str) -> None:
    assert render.amount(given) == shown


def shown_status(*, dead_letters: dict[str, int] | None = None, **parts: Any) -> str:
    return seen(render.status(status(**parts), dead_letters=dead_letters or {}, now=NOW))


def test_status_shows_every_figure_of_an_entity() -> None:
    totals = {"USD": {"total": "10.50", "balance": "0"}}
    text = shown_status(entities={"invoices": entity(erp=1_040, pending=7, nulls=3, totals=totals)})
    line = line_with(text, "invoices")
    for figure in ("1,040", "7", "3", "2 min ago", "5 min", "USD · total 10.5 · balance 0"):
        assert figure in line


def test_status_shows_what_waits_and_what_was_given_up() -> None:
    text = shown_status(backlog={"invoices": requests(5, due=2, parked=1)}, dead_letters={"InvoicesDeadLetter": 4})
    assert "5 to fetch, 2 of them due" in text
    assert line_with(text, "parked").split()[-1] == "1"
    assert "InvoicesDeadLetter 4" in text


def test_status_shows_scans_webhooks_calls_and_runs() -> None:
    text = shown_status(
        scans={"invoices": scan(walked=40)},
        webhooks=webhooks(300, applied={"count": 290, "waiting": 0, "seconds": {"p50": 0.25, "max": 2.0}}),
        runs=[run("drain", started=5), run("poll", started=3, error="ZohoUnavailable: HTTP 502")],
    )
    assert "invoices: polled never, whole list 6 min ago (40 rows)" in text
    assert "300 webhooks; 290 applied at once (p50 0.25 s, max 2.00 s), in the last hour" in text
    assert "books: 9,000 of 10,000 today" in text
    assert "invoices.created 3" in line_with(text, "drain")
    assert "ZohoUnavailable: HTTP 502" in line_with(text, "poll  ")


def test_what_had_to_be_fetched_is_timed_apart_from_what_was_applied_at_once() -> None:
    fetched = {"count": 7, "waiting": 2, "seconds": {"p99": 40.0}}
    assert render.latency(webhooks(7, fetched=fetched)) == ("7 webhooks; 7 fetched (p99 40.00 s), 2 of them still wait")
    assert render.latency(webhooks()) == "0 webhooks"


def test_a_text_of_zoho_is_no_markup() -> None:
    text = shown_status(runs=[run("poll", started=3, error="[/red] oops")])
    assert "[/red] oops" in text


def test_progress_shows_rate_and_time_left() -> None:
    meter = Meter()
    meter.read(status(entities={"invoices": entity(erp=1_000, pending=1_000)}), now_s=0)
    figures = status(
        entities={"invoices": entity(erp=1_000, pending=600)},
        backlog={"invoices": requests(600)},
        scans={"invoices": scan(asked=True, page=2, rows=200)},
    )
    snapshot = meter.read(figures, now_s=10)
    for shown in (seen(render.progress(snapshot)), render.progress_line(snapshot)):
        assert "40" in shown
        assert "15 s" in shown
        assert "200" in shown


def test_progress_in_one_line_is_short_however_much_there_is() -> None:
    names = [f"entity_{number}" for number in range(14)]
    figures = status(
        entities={name: entity(erp=25_000, pending=9_000) for name in names},
        backlog={name: requests(9_000, parked=3) for name in names},
        scans={name: scan(asked=True, page=2, rows=20_000) for name in names},
    )
    line = render.progress_line(Meter().read(figures, now_s=0))
    assert line == "0 of 14 lists whole, 280,000 rows | 224,000 of 350,000 documents, 42 parked"


def test_a_comparison_marks_what_differs() -> None:
    truth = {"invoices": {"count": 2, "totals": {"USD": {"total": "10.50"}}}}
    figures = {"invoices": entity(erp=1, totals={"USD": {"total": "10.49"}})}
    line = line_with(seen(render.comparison(accounts(truth, figures))), "invoices")
    assert line.split() == ["invoices", "2", "1", "-1", "0", "total", "USD", "10.5", "10.49"]


def test_status_shouts_silent_webhooks_and_passes_over_quiet_entities() -> None:
    last = "2026-01-01T03:06:05+00:00"
    text = shown_status(
        silence={"invoices": silence(last=last, unannounced=41, missed=12, hours=9.5), "bills": silence()}
    )
    line = line_with(text, "SILENT")
    for told in ("invoices", "last webhook 24 h ago", "41 changes found by polls since", "12 missed", "9.5 hours"):
        assert told in line
    assert "bills" not in text
    assert "nothing that polls found" in line_with(shown_status(), "unannounced")
    assert "no webhook ever" in shown_status(silence={"bills": silence(unannounced=1)})


def test_status_names_what_failed_of_each_list() -> None:
    broken = scan(walked=3) | {"poll_error": "FilterIgnored: invoices: the list ignores last_modified_time"}
    text = shown_status(scans={"invoices": broken, "bills": scan(walked=2)})
    line = line_with(text, "FilterIgnored")
    assert "invoices: polled" in line


def test_status_tells_when_the_organisation_was_checked_and_what_is_wrong_with_it() -> None:
    assert "checked never" in line_with(shown_status(), "organisation")
    broken = scan() | {"poll_error": "OrganizationRejected: another id"}
    assert "OrganizationRejected: another id" in line_with(shown_status(organization=broken), "organisation")


@pytest.mark.parametrize(
    ("circuit", "told"),
    [
        ({}, "circuit closed"),
        (
            {"circuit": "open", "circuit_retry_at": "2026-01-02T03:06:35+00:00"},
            "circuit open for 6 min, 5 failures, next probe in 30 s",
        ),
        ({"circuit": "open", "circuit_retry_at": None}, "the next call is the probe"),
        (
            {"circuit": "half_open", "circuit_retry_at": None},
            "half_open for 6 min, 5 failures, a probe is under way",
        ),
    ],
    ids=["closed", "open", "due", "half open"],
)
def test_status_tells_the_circuits_state_since_when_and_the_next_probe(circuit: dict[str, Any], told: str) -> None:
    zoho = status()["zoho"] | {"circuit_failures": 5} | circuit
    assert told in " ".join(shown_status(zoho=zoho).split())


def test_status_tells_what_is_wrong_with_the_token_and_what_to_do() -> None:
    troubles = {"token_refusal": "invalid_code: make a new one", "data_centre": "the token is for www.zohoapis.eu"}
    text = shown_status(zoho=status()["zoho"] | {"token_expires_in_s": None} | troubles)
    for told in ("none yet", *troubles.values()):
        assert told in text


def test_status_shows_events_that_wait() -> None:
    assert "all published" in line_with(shown_status(), "events")
    line = line_with(shown_status(outbox={"waiting": 75_000, "age_s": 190.0}), "events")
    assert "75,000 wait to be published, the oldest for 3 min" in line


def test_the_status_begins_with_the_verdict_its_reasons_and_what_to_do() -> None:
    reason = {"code": "token", "level": "bad", "values": {}, "text": "Zoho refuses our login", "todo": "A new token."}
    verdict = {"level": "bad", "text": "No: do not rely on it", "reasons": [reason]}
    first, why, todo, *_ = seen(render.status(status(verdict=verdict), dead_letters={})).splitlines()
    assert (first.strip(), why.strip(), todo.strip()) == (verdict["text"], reason["text"], reason["todo"])
