"""Figures out of status answers: what is pending, what is due, rates and what is left."""

from datetime import UTC, datetime
from typing import Any

import pytest

from cli import render
from cli.progress import Meter, Snapshot, age_s, duration
from tests.unit.cli.status_figures import entity, requests, scan, status


def snapshot(**parts: Any) -> Snapshot:
    return Meter().read(status(**parts), now_s=0)


def test_a_requested_walk_is_pending_before_its_first_page() -> None:
    (part,) = snapshot(scans={"invoices": scan(asked=True)}).lists
    assert (part.is_pending, part.is_under_way, part.rows) == (True, False, 0)


def test_a_walk_under_way_shows_its_rows_and_not_those_of_the_last_one() -> None:
    (part,) = snapshot(scans={"invoices": scan(asked=True, page=3, rows=400, walked=999)}).lists
    assert (part.is_under_way, part.rows) == (True, 400)


def test_nothing_is_over_while_a_walk_is_asked_for() -> None:
    assert not snapshot(scans={"invoices": scan(asked=True)}).is_over
    assert snapshot(scans={"invoices": scan(walked=40)}).is_over


def test_nothing_is_over_while_a_request_waits_for_its_time() -> None:
    waiting = snapshot(entities={"invoices": entity(erp=5, pending=1)}, backlog={"invoices": requests(1, due=0)})
    assert not waiting.is_over
    assert waiting.idle_modes == (), "nothing is due yet"


def test_parked_documents_end_the_waiting_but_are_not_complete() -> None:
    parked = snapshot(entities={"invoices": entity(erp=5, pending=2)}, backlog={"invoices": requests(2, parked=2)})
    assert parked.is_over
    assert not parked.is_complete
    assert parked.parked == {"invoices": 2}


def test_a_row_without_document_is_not_complete_even_if_nobody_asks_for_it() -> None:
    assert not snapshot(entities={"invoices": entity(erp=5, pending=1)}).is_complete
    assert snapshot(entities={"invoices": entity(erp=5)}).is_complete


def test_a_history_that_waits_says_what_for_and_until_when() -> None:
    figures = status(backlog={"invoices": requests(3)})
    assert Meter().read(figures, now_s=0).waits == ()
    figures["zoho"]["days"][0]["ends_history"] = True
    figures["zoho"]["circuit"] = "open"
    waiting = Meter().read(figures, now_s=0)
    until = "2026-01-03 00:00:00 Asia/Baghdad"
    assert [text.partition(":")[0] for text in waiting.waits] == ["books", "Zoho does not answer"]
    line = render.progress_line(waiting)
    assert f"today's calls for the history are used up, it goes on by itself at {until}" in line
    assert "circuit is open" in line


def test_images_that_wait_for_the_day_say_so() -> None:
    figures = status(backlog={"product_images": requests(1)}, images={"expected": 3, "stored": 2, "linked": 2})
    assert Meter().read(figures, now_s=0).waits == ()
    figures["zoho"]["days"][0]["ends_images"] = True
    (why,) = Meter().read(figures, now_s=0).waits
    assert "calls for images are used up" in why
    assert Meter().read(figures | {"backlog": {}}, now_s=0).waits == ()


@pytest.mark.parametrize(
    ("working", "idle"),
    [([], ("walk", "drain")), (["walk"], ("drain",)), (["drain"], ("walk",)), (["walk", "drain"], ())],
    ids=["nobody", "walk", "drain", "both"],
)
def test_idle_are_the_due_modes_that_nobody_works_on(working: list[str], idle: tuple[str, ...]) -> None:
    figures = snapshot(scans={"invoices": scan(asked=True)}, backlog={"invoices": requests(3)}, working=working)
    assert figures.idle_modes == idle


def test_the_rate_is_what_was_done_in_the_time_between() -> None:
    meter = Meter()
    meter.read(status(entities={"invoices": entity(erp=100, pending=100)}), now_s=10)
    figures = status(entities={"invoices": entity(erp=100, pending=60)}, backlog={"invoices": requests(60)})
    (part,) = meter.read(figures, now_s=14).details
    assert part.per_second == 10
    assert part.eta_s == 6


def test_the_rate_forgets_what_is_long_ago() -> None:
    meter = Meter()
    for second, pending in ((0, 1000), (10, 0), (20, 0), (40, 0)):
        (part,) = meter.read(status(entities={"invoices": entity(erp=1000, pending=pending)}), now_s=second).details
    assert part.per_second == 0


def test_time_left_is_unknown_while_nothing_moves_and_none_when_nothing_is_open() -> None:
    (stuck,) = snapshot(backlog={"invoices": requests(3)}).details
    (idle,) = snapshot().details
    assert (stuck.eta_s, idle.eta_s) == (None, 0)


def test_only_what_was_asked_for_is_looked_at() -> None:
    figures = status(
        entities={"invoices": entity(), "payments": entity(erp=3, pending=3)},
        backlog={"payments": requests(3)},
        scans={"invoices": scan(walked=0), "payments": scan(asked=True)},
    )
    found = Meter().read(figures, now_s=0, entities=["invoices"], scans=["invoices"])
    assert found.is_over
    assert [part.entity for part in found.details] == ["invoices"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0 s"), (99, "99 s"), (300, "5 min"), (7_200, "2 h"), (7_500, "2 h 5 min"), (432_000, "5 days")],
)
def test_durations_read_like_speech(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_ages_are_told_from_the_consoles_text() -> None:
    now = datetime(2026, 1, 2, 3, 5, tzinfo=UTC)
    assert age_s("2026-01-02T03:04:00+00:00", now=now) == 60
    assert age_s(None, now=now) is None
