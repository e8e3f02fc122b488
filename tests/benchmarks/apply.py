"""The apply path: SQS events of 100 invoices with 8 lines each, from the event's text to the committed rows.

The floor beside it is COPY of the same rows into the same tables by the same driver: every column of every row that the
apply path has written (invoices, what became of them, their events, what they ask for) is serialised and sent, and
nothing is parsed, hashed, compared or locked. Beside it, for scale, stands COPY of the invoices alone.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
_JSONB = 3802
# what the phases write: rows that stay one a document, rows that are added, and requests, which only the first adds
_MIRROR, _LOGS, _REQUESTS = ("erp.invoices", "tds.revisions"), ("tds.change_log", "tds.outbox"), ("tds.backlog",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A table's columns and rows, to be written again with COPY."""

    table: str
    columns: list[str]
    rows: list[tuple[Any, ...]]

    @classmethod
    def of(cls, connection: psycopg.Connection, table: str) -> "Content":
        """All that stands in it now, JSON to be serialised anew."""
        found = connection.execute(sql.SQL("SELECT * FROM {}").format(_name(table)))
        described = found.description or []
        adapt = [Jsonb if column.type_code == _JSONB else _as_it_is for column in described]
        rows = [tuple(one if one is None else to(one) for to, one in zip(adapt, row, strict=True)) for row in found]
        return cls(table=table, columns=[column.name for column in described], rows=rows)

    def copy(self, connection: psycopg.Connection) -> None:
        """Empty the table and write all of it."""
        names = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        connection.execute(sql.SQL("TRUNCATE {}").format(_name(self.table)))
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(_name(self.table), names)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in self.rows:
                copy.write_row(row)


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


def run(*, batches: int = 30, rounds: int = 3) -> dict[str, float]:
    """Documents a second for creating, for updating, for duplicates, and for the floors; of each the best round."""
    with database() as conninfo:
        connected = Database(lambda: conninfo, application_name="tds-bench")
        processor = Processor(_SPEC, mirror=Mirror(connected), queue=Sink(), waker=Sink())
        events = [[_event(batch, age) for batch in range(batches)] for age in (0, 1)]
        _apply(processor, [_event(batches + 1, 0), _event(batches + 1, 1)])
        told = [_round(processor, conninfo, *events) for _ in range(rounds)]
        connected.close()
    best = {name: max(one[name] for one in told) for name in told[0]}
    return {
        "message_bytes": len(events[0][0]["Records"][0]["body"].encode()),
        **{f"{name}_per_s": round(rate) for name, rate in best.items()},
        "created_to_copy": round(best["created"] / best["copy_of_created"], 2),
        "updated_to_copy": round(best["updated"] / best["copy_of_updated"], 2),
    }


def _round(
    processor: Processor, conninfo: str, new: list[dict[str, Any]], changed: list[dict[str, Any]]
) -> dict[str, float]:
    """From empty tables: all documents created, updated and come twice, and after each phase the COPY of its rows."""
    _empty(conninfo, _MIRROR + _LOGS + _REQUESTS)
    rates = {"created": _rate(conninfo, lambda: _apply(processor, new), len(new))}
    rates["copy_of_created"] = _floor(conninfo, _MIRROR + _LOGS + _REQUESTS, len(new))
    _empty(conninfo, _LOGS)
    rates["updated"] = _rate(conninfo, lambda: _apply(processor, changed), len(changed))
    rates["copy_of_updated"] = _floor(conninfo, _MIRROR + _LOGS, len(changed))
    rates["copy_of_invoices"] = _floor(conninfo, _MIRROR[:1], len(changed))
    rates["duplicates"] = _rate(conninfo, lambda: _apply(processor, changed), len(changed))
    return rates


def _as_it_is(value: Any) -> Any:
    return value


def _rate(conninfo: str, work: Callable[[], None], batches: int) -> float:
    """Documents a second; the pages that the phase before left dirty are on the disk when it begins."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
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


def _empty(conninfo: str, tables: tuple[str, ...]) -> None:
    with psycopg.connect(conninfo) as connection:
        for table in tables:
            connection.execute(sql.SQL("TRUNCATE {}").format(_name(table)))


def _floor(conninfo: str, tables: tuple[str, ...], batches: int) -> float:
    """Documents a second that COPY of all that stands in the tables makes."""
    with psycopg.connect(conninfo) as connection:
        contents = [Content.of(connection, table) for table in tables]
    return _rate(conninfo, lambda: _copy(conninfo, contents), batches)


def _copy(conninfo: str, contents: list[Content]) -> None:
    with psycopg.connect(conninfo) as connection:
        for content in contents:
            content.copy(connection)


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


if __name__ == "__main__":
    print(json.dumps(run()))
