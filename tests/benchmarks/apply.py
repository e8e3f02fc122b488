"""The apply path: SQS events of 100 invoices with 8 lines each, from the event's text to the committed rows.

The floor beside it is COPY of the same rows into the same table by the same driver: every column that the apply path
has written is serialised and sent, and nothing is parsed, hashed, compared, locked or logged.
"""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from tds_core import lossless_json
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.entities import entity
from tds_core.sync.process import Processor
from tests.benchmarks.database import database

BATCH, LINES, PRODUCTS = 100, 8, 2_221
_TEMPLATE = Path(__file__).parents[2] / "events/processor/invoices.json"
_SPEC = entity("invoices")
_EMPTY: tuple[Any, ...] = ("", [], {})


class Sink:
    """A queue that nothing may come back to."""

    def postpone(self, record: Mapping[str, Any]) -> None:
        """A benchmark batch is never postponed."""
        raise AssertionError("postponed")

    def bury(self, record: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """A benchmark batch is never dead-lettered."""
        raise AssertionError(attributes["reason"])

    def wake(self) -> None:
        """Nothing is fetched here."""


def run(*, batches: int = 30) -> dict[str, float]:
    """Documents a second for creating, for updating, for duplicates, and for the floor; all in one run."""
    with database() as conninfo:
        connected = Database(lambda: conninfo, application_name="tds-bench")
        processor = Processor(_SPEC, mirror=Mirror(connected), queue=Sink(), waker=Sink())
        events = {age: [_event(batch, age) for batch in range(batches)] for age in (0, 1)}
        size = len(events[0][0]["Records"][0]["body"].encode())
        _apply(processor, [_event(batches + 1, 0)])
        created = _rate(lambda: _apply(processor, events[0]), batches)
        updated = _rate(lambda: _apply(processor, events[1]), batches)
        duplicates = _rate(lambda: _apply(processor, events[1]), batches)
        connected.close()
        names, rows = _stored(conninfo)
        floor = max(_rate(lambda: _copy(conninfo, names, rows), batches) for _ in range(2))
        return {
            "message_bytes": size,
            "created_per_s": round(created),
            "updated_per_s": round(updated),
            "duplicates_per_s": round(duplicates),
            "copy_per_s": round(floor),
            "created_to_copy": round(created / floor, 2),
            "updated_to_copy": round(updated / floor, 2),
        }


def _rate(work: Any, batches: int) -> float:
    started = time.perf_counter()
    work()
    return batches * BATCH / (time.perf_counter() - started)


def _apply(processor: Processor, events: list[dict[str, Any]]) -> None:
    for event in events:
        assert processor.handle(event) == {"batchItemFailures": []}


def _event(batch: int, age: int) -> dict[str, Any]:
    template = json.loads(_TEMPLATE.read_text("utf-8"))["Records"][0]
    message = lossless_json.loads(template["body"])
    records = []
    for place in range(BATCH):
        number = batch * BATCH + place
        body = message | {"ids": [str(10**18 + number)], "document": _document(message["document"], number, age)}
        records.append(template | {"messageId": f"{batch}-{place}", "body": lossless_json.dumps(body)})
    return {"Records": records}


def _document(document: dict[str, Any], number: int, age: int) -> dict[str, Any]:
    modified = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=age, seconds=number)
    said = {name: value for name, value in document.items() if value not in _EMPTY or name in _SPEC.document_keys}
    line = {name: value for name, value in document["line_items"][0].items() if value not in (*_EMPTY, False, 0)}
    return said | {
        "invoice_id": str(10**18 + number),
        "invoice_number": f"INV-{number:06}",
        "balance": number + age,
        "last_modified_time": modified.isoformat(),
        "line_items": [line | _identity(number * LINES + n) for n in range(LINES)],
    }


def _identity(number: int) -> dict[str, str]:
    """A line of its own, of one of the products in turn."""
    return {"line_item_id": str(10**17 + number), "item_id": str(10**16 + number % PRODUCTS)}


def _stored(conninfo: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns and rows that the apply path has written."""
    with psycopg.connect(conninfo) as connection:
        found = connection.execute("SELECT * FROM erp.invoices")
        return [column.name for column in found.description or ()], found.fetchall()


def _copy(conninfo: str, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    statement = sql.SQL("COPY erp.invoices ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, names)))
    with psycopg.connect(conninfo) as connection:
        connection.execute("TRUNCATE erp.invoices")
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([Jsonb(value) if isinstance(value, dict | list) else value for value in row])


if __name__ == "__main__":
    print(json.dumps(run()))
