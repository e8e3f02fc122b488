"""The road in one process: a scripted Zoho by path, the use cases on a real PostgreSQL, and documents to send."""

import copy
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tds_core import lossless_json
from tds_core.database import backlog
from tds_core.database.candidates import Candidate, from_document
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.entities import REGISTRY, queued
from tds_core.entities.spec import EntitySpec
from tds_core.errors import QueueUnavailable
from tds_core.priority import Priority
from tds_core.sync.alert import Alert
from tds_core.sync.deletion import DeletionGuard
from tds_core.sync.drain import Drain
from tds_core.sync.fetch import Fetcher
from tds_core.sync.image_check import ImageReport
from tds_core.sync.image_proof import ImageProof
from tds_core.sync.poll import Poll
from tds_core.sync.process import Processor
from tds_core.sync.verify import Verify
from tds_core.sync.walk import Walk
from tds_core.zoho.caller import VERSIONS
from tds_core.zoho.client import UnifiedZohoClient
from tds_core.zoho.retry import RetryPolicy
from tests import zoho_fakes
from tests.zoho_fakes import error

EVENTS = Path(__file__).parents[2] / "events" / "processor"
VERSION = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
Json = dict[str, Any]
Answer = httpx.Response | Callable[[httpx.Request], httpx.Response]
Connect = Callable[[], Database]


def document(entity: str, document_id: str | int, **changes: Any) -> Json:
    """A full document, as Zoho's detail shows it; `changes` replace keys, and None leaves one out."""
    spec = REGISTRY[entity]
    event = json.loads((EVENTS / f"{entity}.json").read_text("utf-8"))
    known: Json = lossless_json.loads(event["Records"][0]["body"])["document"]
    known |= {spec.zoho_key: document_id, spec.document_version: zoho_time(VERSION)} | changes
    return {name: value for name, value in known.items() if value is not None}


def row(entity: str, document_id: str, **changes: Any) -> Json:
    """The list row of the same record: only what lists carry."""
    spec = REGISTRY[entity]
    whole = document(entity, document_id)
    keys = {key for column in spec.header_columns for key in spec.model.source_keys(column)} | {"contact_type"}
    listed = {name: value for name, value in whole.items() if name in keys}
    listed |= {"last_modified_time": zoho_time(VERSION)} | changes
    return {name: value for name, value in listed.items() if value is not None}


def zoho_time(moment: datetime) -> str:
    """As Zoho writes it for an organisation in Baghdad."""
    return (moment + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%S+0300")


def later(seconds: float) -> str:
    """A version that many seconds after the documents' own."""
    return zoho_time(VERSION + timedelta(seconds=seconds))


def message(entity: str, whole: Json | None = None, **fields: Any) -> Json:
    """A queue message as the receiver writes it, for a document or for `ids`."""
    ids = [str(whole[REGISTRY[entity].zoho_key])] if whole else []
    known = {
        "schema": 1,
        "entity": entity,
        "op": "upsert" if whole else "request",
        "ids": ids,
        "document": whole,
        "observed_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        "source": "webhook",
        "trace_id": "trace-1",
    }
    return known | fields


def record(body: Json | str, *, deliveries: int = 1, attributes: Mapping[str, str] | None = None) -> Json:
    """The message as SQS hands it to Lambda; a text travels as it is."""
    with _lock:
        _numbers.append(len(_numbers))
        number = len(_numbers)
    return {
        "messageId": f"message-{number}",
        "receiptHandle": f"handle-{number}",
        "body": body if isinstance(body, str) else lossless_json.dumps(body),
        "attributes": {"ApproximateReceiveCount": str(deliveries), "SentTimestamp": "1773477729402"},
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"} for name, value in (attributes or {}).items()
        },
    }


_lock = threading.Lock()
_numbers: list[int] = []


@dataclass
class MemoryQueue:
    """A queue that remembers; a broken one buries nothing."""

    postponed: list[Mapping[str, Any]] = field(default_factory=list)
    buried: list[tuple[Mapping[str, Any], Mapping[str, str]]] = field(default_factory=list)
    broken: bool = False

    def postpone(self, record: Mapping[str, Any]) -> None:
        self.postponed.append(record)

    def bury(self, record: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        if self.broken:
            raise QueueUnavailable("broken")
        self.buried.append((record, attributes))


@dataclass
class Waker:
    """Counts how often the drain was woken, and which modes were started."""

    wakes: int = 0
    started: list[tuple[str, Json]] = field(default_factory=list)

    def wake(self) -> None:
        self.wakes += 1

    def start(self, mode: str, **event: Any) -> None:
        self.started.append((mode, event))


class Queued:
    """One entity's processor with a queue in memory."""

    def __init__(self, entity: str, database: Database) -> None:
        self.queue, self.waker = MemoryQueue(), Waker()
        specs = queued(REGISTRY[entity].queue)
        self.processor = Processor(*specs, mirror=Mirror(database), queue=self.queue, waker=self.waker)

    def handle(self, *records: Json) -> list[str]:
        """Process the records; returns the ids of the messages that go back to the queue."""
        answered = self.processor.handle({"Records": list(records)})
        return [item["itemIdentifier"] for item in answered["batchItemFailures"]]


class Zoho:
    """A Zoho that serves the documents and lists it is given; `script` has a path answer otherwise, in turn.

    Lists are pages of rows, by their path. A list in `unsorted` ignores the order that it is asked for.
    """

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Json]] = {}
        self.lists: dict[str, list[list[Json]]] = {}
        self.unsorted: set[str] = set()
        self.unpaged = {_path(spec) for spec in REGISTRY.values() if not spec.paged}
        self.script: dict[str, list[Answer]] = {}
        self.organization: Json = {"time_zone": "Asia/Baghdad"}
        self.calls: list[httpx.URL] = []
        self.date = "Sat, 14 Mar 2026 12:00:00 GMT"
        self._lock = threading.Lock()

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self._handle))

    def paths(self, prefix: str = "/") -> list[str]:
        """The paths of the calls made, without the product."""
        return [path for path in map(_short, self.calls) if path.startswith(prefix)]

    def put(self, entity: str, *documents: Json) -> None:
        """Let these documents exist."""
        spec = REGISTRY[entity]
        held = self.documents.setdefault(_path(spec), {})
        held.update({str(one[spec.zoho_key]): one for one in documents})

    def forget(self, entity: str, *ids: str) -> None:
        """Let these documents exist no more."""
        for document_id in ids:
            self.documents[_path(REGISTRY[entity])].pop(document_id, None)

    def listing(self, entity: str, *pages: Sequence[Json]) -> None:
        """What the entity's list shows."""
        self.lists[_path(REGISTRY[entity])] = [list(page) for page in pages]

    def answer(self, path: str, *answers: Answer) -> None:
        """Answer a path (without product and version) with these in turn, the last one for ever."""
        self.script[path] = list(answers)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/v2/token":
            return httpx.Response(
                200, json={"access_token": "token", "expires_in": 3600, "api_domain": "https://zoho.test"}
            )
        with self._lock:
            self.calls.append(request.url)
            scripted = self.script.get(_short(request.url))
            given = (scripted.pop(0) if len(scripted) > 1 else scripted[0]) if scripted else self.usual
        told = given(request) if callable(given) else given
        headers = {"Date": self.date} | dict(told.headers)
        return httpx.Response(told.status_code, headers=headers, content=told.read())

    def usual(self, request: httpx.Request) -> httpx.Response:
        """What Zoho says when nothing is wrong."""
        path, query = request.url.path, request.url.params
        folder, _, document_id = path.rpartition("/")
        if document_id == "itemdetails":
            held = self.documents.get(f"{folder}/items", {})
            return _told({"items": [held[one] for one in query["item_ids"].split(",") if one in held]})
        if path in self.lists:
            return self._page(path, query)
        if document_id == "organizations":
            return _told({"organizations": [{"organization_id": zoho_fakes.ORGANIZATION} | self.organization]})
        if document_id in self.documents.get(folder, {}):
            key = next(spec.detail_key for spec in REGISTRY.values() if _path(spec) == folder)
            return _told({key: self.documents[folder][document_id]})
        if folder in {_path(spec) for spec in REGISTRY.values()}:
            return error(1002, status=404)
        key = next(spec.list_key for spec in REGISTRY.values() if _path(spec) == path)
        return _told(
            {key: []} | ({} if path in self.unpaged else {"page_context": {"page": 1, "has_more_page": False}})
        )

    def _page(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        pages, number = self.lists[path], int(query.get("page", 1))
        key = next(spec.list_key for spec in REGISTRY.values() if _path(spec) == path)
        if path in self.unpaged:
            return _told({key: [row for page in pages for row in copy.deepcopy(page)]})
        column = "name" if path in self.unsorted else query.get("sort_column", "")
        context = {"page": number, "per_page": 200, "has_more_page": number < len(pages), "sort_column": column}
        return _told({key: copy.deepcopy(pages[number - 1]) if number <= len(pages) else [], "page_context": context})


def _told(body: Json) -> httpx.Response:
    return httpx.Response(200, content=lossless_json.dumps({"code": 0, "message": "success"} | body))


def _path(spec: EntitySpec) -> str:
    return f"/{spec.product}/{VERSIONS[spec.product]}{spec.path}"


def _short(url: httpx.URL) -> str:
    return "/" + url.path.split("/", 3)[3]


class Pictures:
    """A comparison of images that finds what it is told; at first that there are none."""

    def __init__(self) -> None:
        self.found = ImageReport()

    def run(self, *, heal: bool, for_s: float) -> ImageReport:
        return self.found


class Road:
    """Poll, walk and drain with one Zoho and one database; the budget is wide and the circuit patient.

    With `patience_s` the drain waits for what is due soon: then time passes at once, and `slept_s` says how much.
    """

    def __init__(self, connect: Connect, http: httpx.Client, *, patience_s: float = 0, **settings: Any) -> None:
        wide = {"minute_limit": 6000, "in_flight_limit": 4, "day_limit": 1_000_000, "breaker_failures": 1000}
        wide |= {"announced_within_s": 0}
        self.settings = zoho_fakes.settings(**(wide | settings))
        self.database = connect()
        self.mirror = Mirror(self.database, ripple_hold_s=self.settings.ripple_hold_s)
        retry = RetryPolicy(attempts=1, wait_initial_s=0, wait_max_s=0, wait_jitter_s=0)
        self.client = UnifiedZohoClient(self.settings, connect(), zoho_fakes.credentials, http, retry=retry)
        self.guard = DeletionGuard(self.settings, database=self.database, client=self.client)
        self.fetcher = Fetcher(self.client, self.guard)
        parts: dict[str, Any] = {"database": self.database, "mirror": self.mirror}
        self.clock: datetime | None = None  # what is due is decided by it; None leaves it to PostgreSQL
        self.poll = Poll(self.settings, **parts, client=self.client, clock=lambda: self.clock)
        self.walk = Walk(self.settings, **parts, client=self.client, clock=lambda: self.clock)
        self.drain = Drain(self.settings, **parts, fetcher=self.fetcher, patience_s=patience_s, sleep=self._sleep)
        self.told: list[tuple[str, str, str]] = []
        self.gauges: dict[str, float] = {}
        alert = Alert(self.settings, publish=lambda *parts: self.told.append(parts), gauge=self.gauges.__setitem__)
        self.pictures = Pictures()
        self.verify = Verify(
            self.settings,
            **parts,
            client=self.client,
            fetcher=self.fetcher,
            waker=Waker(),
            alert=alert,
            images=ImageProof(self.database, check=self.pictures, waker=Waker()),
            clock=lambda: self.clock,
        )
        self.slept_s = 0.0
        self.know_organization()

    def know_organization(self, *, ago: str = "-1 year") -> None:
        """The organisation was checked that long ago; unless a test says otherwise no poll has to check it."""
        self.database.execute(
            """
            INSERT INTO tds.cursors (scan, polled_at) VALUES ('organization', now() - %(ago)s::interval)
            ON CONFLICT (scan) DO UPDATE SET polled_at = now() - %(ago)s::interval
            """,
            {"ago": ago},
        )

    def request(self, entity: str, *ids: str, priority: Priority = Priority.WEBHOOK, forced: bool = False) -> None:
        """Put ids on the backlog."""
        with self.database.transaction() as connection:
            backlog.request(connection, entity, ids, priority=priority, cause="test", forced=forced)

    def work(self) -> dict[str, int]:
        """Drain what is due now."""
        return self.drain.run(lambda: 30.0)

    def _sleep(self, seconds: float) -> None:
        self.slept_s += seconds
        passed = timedelta(seconds=seconds)
        self.database.execute("UPDATE tds.backlog SET not_before = not_before - %s", (passed,))
        for spec in REGISTRY.values():
            earlier = "SET observed_at = observed_at - %s, detail_observed_at = detail_observed_at - %s"
            self.database.execute(f"UPDATE erp.{spec.table} {earlier}", (passed, passed))

    def hurry(self) -> None:
        """Make everything on the backlog due now, as if the time had passed."""
        self.database.execute("UPDATE tds.backlog SET not_before = now()")

    def backlog(self, entity: str) -> dict[str, Json]:
        """What waits of an entity."""
        return backlog_of(self.database, entity)

    def outcome(self, entity: str, document_id: str) -> list[str]:
        """The record's story."""
        query = "SELECT outcome FROM tds.change_log WHERE entity = %s AND id = %s ORDER BY at"
        return [told for (told,) in self.database.execute(query, (entity, document_id))]


def backlog_of(database: Database, entity: str) -> dict[str, Json]:
    """What waits of an entity, by id."""
    names = ("id", "priority", "cause", "attempts", "lags", "parked", "held", "reason", "wait_s")
    rows = database.execute(
        """
        SELECT id, priority, cause, attempts, lags, parked_at IS NOT NULL, lease IS NOT NULL, reason,
            extract(epoch FROM not_before - now())::float8
        FROM tds.backlog WHERE entity = %s ORDER BY id
        """,
        (entity,),
    )
    return {values[0]: dict(zip(names, values, strict=True)) for values in rows}


def mirrored(database: Database, entity: str, *columns: str) -> dict[str, tuple[Any, ...]]:
    """The live rows' columns, by id."""
    spec = REGISTRY[entity]
    names = ", ".join((spec.key, *columns))
    rows = database.execute(f"SELECT {names} FROM erp.{spec.table} WHERE deleted_at IS NULL ORDER BY 1")
    return {values[0]: tuple(values[1:]) for values in rows}


def stumble(patch: pytest.MonkeyPatch, module: ModuleType, document_id: str) -> None:
    """Have the module's reading of one document fail as nobody foresaw."""

    def odd(spec: EntitySpec, whole: Json, **parts: Any) -> Candidate:
        if whole[spec.zoho_key] == document_id:
            raise LookupError("what stood there")
        return from_document(spec, whole, **parts)

    patch.setattr(module, "from_document", odd)
