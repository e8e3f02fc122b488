"""Silent webhooks are noticed: polls find what no webhook announced, and an import or a quiet day is no silence."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tds_core import lossless_json
from tds_core.database import announcements
from tds_core.errors import ZohoUnavailable
from tds_core.sync import silence, wiring
from tds_core.sync.silence import Silence
from tests.integration.road import Json, Queued, Road, Zoho, document, message, record, row, zoho_time
from tests.webhook_events import Endpoint
from tests.zoho_fakes import error

BAGHDAD = ZoneInfo("Asia/Baghdad")
YESTERDAY: date = datetime.now(BAGHDAD).date() - timedelta(days=1)


def at(hour: int, minute: int = 0) -> datetime:
    """Yesterday in Baghdad."""
    return datetime.combine(YESTERDAY, time(hour, minute), BAGHDAD)


def webhook(road: Road, path: str, whole: Json, *, ago_s: float = 0) -> int:
    """Post a signed webhook to the receiver, so many seconds ago, and process what it stored."""
    endpoint = Endpoint()
    status = endpoint.post(path, lossless_json.dumps({"invoice": whole}).encode())
    for entity, stored in endpoint.messages:
        stored["observed_at"] = (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat()
        Queued(entity, road.database).handle(record(stored))
    return status


def found(road: Road, zoho: Zoho, *ids: str, at: datetime, entity: str = "invoices", **changes: Any) -> None:
    """Staff changed these records, and two minutes later a poll found them."""
    changes = {"last_modified_time": zoho_time(datetime.now(UTC))} | changes
    zoho.listing(entity, [row(entity, one, **changes) for one in ids])
    road.poll.run(force=True)
    ago = datetime.now(UTC) - at
    road.database.execute(
        "UPDATE tds.change_log SET at = at - %(ago)s, observed_at = observed_at - %(ago)s, "
        "version = version - %(ago)s - interval '2 min' WHERE id = ANY(%(ids)s) AND source = 'poll'",
        {"ago": ago, "ids": list(ids)},
    )


def measured(road: Road, entity: str = "invoices") -> Silence:
    return silence.measure(road.settings, road.database)[entity]


def test_webhooks_at_a_wrong_address_are_found_silent_by_the_polls(road: Road, zoho: Zoho) -> None:
    for number, hour in enumerate((9, 11, 14)):
        one = document("invoices", str(900 + number))
        assert webhook(road, "v1/invoices/updated", one) == 404
        found(road, zoho, str(900 + number), at=at(hour))
    assert measured(road) == Silence(
        last_webhook_at=None, unannounced=3, missed_24h=measured(road).missed_24h, hours=5.0, is_silent=True
    )
    assert not measured(road, "bills").is_silent

    told: dict[str, float] = {}
    silence.tell(silence.measure(road.settings, road.database), told.__setitem__)
    assert told == {"WebhookSilenceHours": 5.0}

    assert webhook(road, "invoices/updated", document("invoices", "990")) == 202
    repaired = measured(road)
    assert (repaired.unannounced, repaired.hours, repaired.is_silent) == (0, 0.0, False)
    assert repaired.last_webhook_at is not None


def test_silence_begins_beyond_the_limit(road: Road, zoho: Zoho) -> None:
    found(road, zoho, "901", at=at(9))
    found(road, zoho, "902", at=at(12, 54))
    assert (measured(road).hours, measured(road).is_silent) == (3.9, False)


def test_an_import_is_no_silence(road: Road, zoho: Zoho) -> None:
    found(road, zoho, *map(str, range(900, 940)), at=at(9))
    assert (measured(road).unannounced, measured(road).hours, measured(road).is_silent) == (40, 0.0, False)


def test_what_a_webhook_announced_is_not_held_against_it(road: Road, zoho: Zoho) -> None:
    whole = document("invoices", "901", last_modified_time=zoho_time(datetime.now(UTC) - timedelta(seconds=25)))
    webhook(road, "invoices/updated", whole, ago_s=20)
    zoho.listing("invoices", [row("invoices", "901", last_modified_time=whole["last_modified_time"], status="other")])
    road.poll.run(force=True)
    assert road.outcome("invoices", "901") == ["created", "updated"], "the poll wrote, too"
    assert (measured(road).unannounced, measured(road).missed_24h) == (0, 0)


def test_one_rule_that_is_missing_is_seen_though_others_work(road: Road, zoho: Zoho) -> None:
    zoho.listing("invoices", [row("invoices", "901", last_modified_time=zoho_time(datetime.now(UTC)))])
    road.poll.run(force=True)
    webhook(road, "invoices/created", document("invoices", "902"))
    assert (measured(road).unannounced, measured(road).missed_24h) == (0, 1)


def test_reading_a_list_for_the_first_time_is_no_news(road: Road, zoho: Zoho) -> None:
    zoho.listing("products", [row("products", "501")])  # as old as the documents of these tests
    road.poll.run(force=True)
    assert road.outcome("products", "501") == ["created"]
    assert (measured(road, "products").unannounced, measured(road, "products").missed_24h) == (0, 0)


def test_a_change_without_a_version_may_be_a_day_old(road: Road, zoho: Zoho) -> None:
    seen_at = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
    announced = message("inventory", document("inventory", "701"), observed_at=seen_at)
    Queued("inventory", road.database).handle(record(announced))
    zoho.listing("inventory", [row("inventory", "701", last_modified_time=None, reason="other")])
    road.poll.run(force=True)
    assert "updated" in road.outcome("inventory", "701")
    assert (measured(road, "inventory").unannounced, measured(road, "inventory").missed_24h) == (0, 0)


def test_a_poll_that_fails_measures_silence_all_the_same(
    road: Road, zoho: Zoho, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "database", lambda settings: road.database)
    monkeypatch.setattr(wiring, "client", lambda settings: road.client)
    monkeypatch.setattr(wiring, "Storage", lambda: None)
    told: list[tuple[str, float]] = []
    backfill = wiring.Backfill(
        replace(road.settings, image_queue_url="queue"), gauge=lambda name, value: told.append((name, value))
    )
    zoho.answer("/invoices", error(1000, status=500))
    with pytest.raises(ZohoUnavailable):
        backfill.run({"mode": "poll", "force": True}, lambda: 60.0)
    assert told == [("WebhookSilenceHours", 0.0)]


# -- what arrived, by address


def test_a_records_story_names_the_webhook_it_came_by(road: Road) -> None:
    webhook(road, "invoices/created", document("invoices", "901"))
    webhook(road, "invoices/deleted", {"invoice_id": "902"})
    webhook(road, "invoices", document("invoices", "903"))
    rows = road.database.execute("SELECT id, webhook FROM tds.change_log ORDER BY id")
    assert rows == [("901", "invoices/created"), ("902", "invoices/deleted"), ("903", "invoices")]


def test_what_was_heard_begins_at_its_time_and_counts_a_webhook_once(road: Road) -> None:
    webhook(road, "invoices/created", document("invoices", "901"))
    began = announcements.now(road.database)
    for entity in ("customers", "vendors"):  # a contact of unknown type concerns both
        Queued(entity, road.database).handle(record(message(entity, ids=["601"], webhook="contacts/updated")))
    Queued("invoices", road.database).handle(record(message("invoices", ids=["902"])))  # written before there were any
    (heard,) = announcements.heard(road.database, since=began)
    assert (heard.webhook, heard.count) == ("contacts/updated", 1)
    assert began <= heard.first_at <= heard.last_at


def test_a_webhook_from_before_is_not_heard_because_it_was_processed_late(road: Road) -> None:
    began = announcements.now(road.database)
    waited = (began - timedelta(hours=1)).isoformat()
    late = message("invoices", ids=["901"], webhook="invoices/created", observed_at=waited)
    Queued("invoices", road.database).handle(record(late))
    assert announcements.heard(road.database, since=began) == []


def test_changes_a_day_count_each_state_once_however_it_was_learnt(road: Road, zoho: Zoho) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    whole = document("invoices", "901", last_modified_time=zoho_time(now))
    zoho.listing("invoices", [row("invoices", "901", last_modified_time=zoho_time(now))])
    road.poll.run(force=True)
    webhook(road, "invoices/updated", whole)
    webhook(road, "invoices/updated", document("invoices", "902"))  # long ago
    (change,) = announcements.changes_by_day(road.database, ["invoices"], days=30, time_zone="Asia/Baghdad")
    assert (change.day, change.entity, change.count) == (now.astimezone(BAGHDAD).date(), "invoices", 1)
