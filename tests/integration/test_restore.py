"""A restored backup is an older mirror: polls, walks and refetches make it equal to Zoho again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tds_core import lossless_json
from tds_core.database import runs, verifications
from tds_core.database.connection import Database
from tests.integration.conftest import Server
from tests.integration.road import (
    Connect,
    Json,
    Queued,
    Road,
    Zoho,
    document,
    message,
    mirrored,
    record,
    row,
    zoho_time,
)

BACKUP_AT = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
OLDER = "older"


@pytest.fixture
def backup(postgres: Server, owner_conninfo: str, road: Road, zoho: Zoho) -> Iterator[Connect]:
    """A copy of the mirror from before the changes; the mirror itself has them all."""
    held = [document("invoices", name) for name in ("901", "902", "903")]
    put(zoho, *held)
    backfill(road)
    road.client._database.close()  # type: ignore[attr-defined]
    road.database.close()
    postgres.run("CREATE DATABASE {} TEMPLATE {}", OLDER, str(conninfo_to_dict(owner_conninfo)["dbname"]))
    opened: list[Database] = []

    def connect() -> Database:
        conninfo = make_conninfo(postgres.conninfo, dbname=OLDER, user="tds_app")
        opened.append(Database(lambda: conninfo, application_name="test"))
        return opened[-1]

    yield connect
    for database in opened:
        database.close()
    postgres.run("DROP DATABASE {} WITH (FORCE)", OLDER)


def put(zoho: Zoho, *documents: Json) -> None:
    """Let Zoho hold exactly these invoices."""
    zoho.documents.clear()
    zoho.put("invoices", *documents)
    shown = [row("invoices", one["invoice_id"], last_modified_time=one["last_modified_time"]) for one in documents]
    zoho.listing("invoices", shown)

    def changed(request: httpx.Request) -> httpx.Response:
        """The list with its filter kept, as Zoho's is."""
        body = lossless_json.loads(zoho.usual(request).content)
        if since := request.url.params.get("last_modified_time"):
            begin = datetime.fromisoformat(since)
            body["invoices"] = [
                one for one in body["invoices"] if datetime.fromisoformat(one["last_modified_time"]) >= begin
            ]
        return httpx.Response(200, content=lossless_json.dumps(body))

    zoho.answer("/invoices", changed)


def backfill(road: Road) -> None:
    runs.request_walk(road.database, "invoices")
    road.walk.run(lambda: 30.0)
    road.poll.run(force=True)
    road.work()


def change(zoho: Zoho) -> list[Json]:
    """After the backup one invoice is edited, one deleted, one made."""
    later = zoho_time(BACKUP_AT + timedelta(hours=1))
    edited = document("invoices", "901", reference_number="edited", last_modified_time=later)
    made = document("invoices", "904", last_modified_time=later)
    put(zoho, edited, document("invoices", "903"), made)
    zoho.date = "Sat, 14 Mar 2026 14:00:00 GMT"
    return [edited, made]


def test_polls_and_walks_bring_an_older_database_to_what_zoho_shows(backup: Connect, zoho: Zoho) -> None:
    change(zoho)
    restored = Road(backup, zoho.http)
    assert sorted(mirrored(restored.database, "invoices")) == ["901", "902", "903"]
    restored.poll.run(force=True)
    restored.work()
    assert restored.outcome("invoices", "901")[-1] == "updated"
    assert "904" in mirrored(restored.database, "invoices"), "the cursor is older, too"
    backfill(restored)
    rows = mirrored(restored.database, "invoices", "reference_number", "zoho")
    held = {name: whole for name, (_, whole) in rows.items() if name != "902"}
    assert held == zoho.documents["/books/v3/invoices"]
    assert rows["901"][0] == "edited"

    assert "902" in rows, "no poll tells of a deletion"
    run = verifications.request(restored.database, ["invoices"], cause="manual", heal=True)
    for _ in range(4):
        restored.verify.run(lambda: 30.0)
        restored.work()
        restored.hurry()
    shown = verifications.read(restored.database, run)  # at night another run follows
    assert shown is not None and shown["report"]["ok"] is True
    assert shown["report"]["entities"]["invoices"]["extra"] == 1
    assert sorted(mirrored(restored.database, "invoices")) == ["901", "903", "904"]


def test_webhooks_that_still_wait_are_applied_to_an_older_database(backup: Connect, zoho: Zoho) -> None:
    waiting = change(zoho)
    restored = Road(backup, zoho.http)
    queued = Queued("invoices", restored.database)
    assert queued.handle(*(record(message("invoices", one)) for one in waiting)) == []
    assert mirrored(restored.database, "invoices", "reference_number")["901"] == ("edited",)
    assert "904" in mirrored(restored.database, "invoices")
    again = [record(message("invoices", one)) for one in waiting]
    assert queued.handle(*again) == []
    assert restored.outcome("invoices", "904")[-1] == "unchanged"
