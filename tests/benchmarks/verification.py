"""Verification of 75,000 documents: calls, seconds and memory, once looking only and once as at night, with healing.

The mirror holds what the simulator holds, written by the mirror itself: a list row and the document of each record. The
call rate is no limit here, so the seconds are the comparison's, the recomputation's, and the simulator's answers' own.
Memory is the peak of a process of its own that does nothing else.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import httpx

from cli.local.zoho_simulator.launch import start
from cli.local.zoho_simulator.server import Details
from tds_core import lossless_json
from tds_core.database import verifications
from tds_core.database.candidates import Candidate, from_document, from_list_row
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.database.ordering import Clock, Moment
from tds_core.entities import REGISTRY, scans
from tds_core.entities.spec import ROWS_PER_PAGE, EntitySpec
from tds_core.priority import Priority
from tds_core.zoho.auth import ZohoCredentials
from tests.benchmarks.database import database
from tests.integration.road import Road

DOCUMENTS = 75_000
SECONDS, MEGABYTES = 180.0, 512
_WIDE = {"minute_limit": 1_000_000, "day_limit": 1_000_000, "in_flight_limit": 10}
_PATIENCE_S = 900.0


def run(*, documents: int = DOCUMENTS) -> dict[str, Any]:
    """The figures of both kinds of run; raises RuntimeError when one is missed."""
    server = start(size="tsh", per_minute=0, in_flight=0, per_day=0, counts={"invoices": 26_022})
    try:
        with database() as conninfo:
            held = _fill(conninfo, server.details, documents)
            least = sum(ceil(sum(held[spec.name] for spec in specs) / ROWS_PER_PAGE) for specs in scans().values())
            figures = {
                kind: _measured(conninfo, server.details, heal=heal)
                for kind, heal in (("looking", False), ("healing", True))
            }
    finally:
        server.stop()
    missed = [
        f"{kind} {name}"
        for kind, told in figures.items()
        for name, is_held in {
            "equality": told["ok"] and told["documents"] == sum(held.values()),
            "calls": told["calls"] == least,
            "seconds": told["seconds"] < SECONDS,
            "memory": told["peak_mb"] < MEGABYTES,
        }.items()
        if not is_held
    ]
    told = {"least_calls": least, **figures}
    if missed:
        raise RuntimeError(f"missed: {', '.join(missed)}: {told}")
    return told


def _fill(conninfo: str, server: Details, documents: int) -> dict[str, int]:
    """Bring everything into the mirror, at rest; returns how many there are of each entity."""
    connected = Database(lambda: conninfo, application_name="tds-bench")
    mirror, held = Mirror(connected), dict.fromkeys(REGISTRY, 0)
    with httpx.Client(base_url=server.control_url, timeout=60) as control:
        for spec in REGISTRY.values():
            for page in _pages(control, spec):
                held[spec.name] += len(page)
                candidates = [candidate for one in page for candidate in _candidates(spec, one)]
                mirror.apply(spec, candidates, priority=Priority.BACKFILL)
    if sum(held.values()) < documents:
        raise RuntimeError(f"only {sum(held.values())} documents")
    connected.execute("DELETE FROM tds.backlog")  # what the documents touch is there
    connected.close()
    return held


def _pages(control: httpx.Client, spec: EntitySpec) -> Iterator[list[dict[str, Any]]]:
    for number in count():
        answer = control.get(f"/documents/{spec.name}", params={"limit": 500, "offset": 500 * number})
        page: list[dict[str, Any]] = lossless_json.loads(answer.raise_for_status().content)
        if not page:
            return
        yield page


def _candidates(spec: EntitySpec, shown: dict[str, Any]) -> Iterator[Candidate]:
    """The list row and the document of a record, as a walk and a drain would have seen them."""
    now = datetime.now(UTC)
    if not spec.rows_are_documents:
        yield from_list_row(spec, shown["list_row"], observed_at=now, source="walk")
    whole = shown["list_row" if spec.rows_are_documents else "document"]
    yield from_document(spec, whole, moment=Moment(at=now, clock=Clock.FETCH), source="drain")


def _measured(conninfo: str, server: Details, *, heal: bool) -> dict[str, Any]:
    """A run in a process of its own."""
    told = json.dumps({"conninfo": conninfo, "server": asdict(server), "heal": heal})
    code = "import sys; from tests.benchmarks.verification import verify; verify(sys.stdin.read())"
    done = subprocess.run([sys.executable, "-c", code], input=told, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def verify(told: str) -> None:
    """Verify everything and print what it cost; started by `_measured` in a process of its own."""
    given = json.loads(told)
    server = Details(**given["server"])
    road = Road(
        lambda: Database(lambda: given["conninfo"], application_name="tds-bench"),
        httpx.Client(timeout=60),
        zoho_api_url=server.api_url,
        zoho_accounts_url=server.accounts_url,
        zoho_organization_id=server.organization_id,
        **_WIDE,
    )
    login = ZohoCredentials(
        client_id=server.client_id, client_secret=server.client_secret, refresh_token=server.refresh_token
    )
    road.client._tokens._credentials = lambda: login
    number = verifications.request(road.database, tuple(REGISTRY), cause="manual", heal=given["heal"])
    started = time.monotonic()
    report = None
    while report is None and time.monotonic() - started < _PATIENCE_S:
        road.verify.run(lambda: 50.0)  # a function's time
        shown = verifications.read(road.database, number)
        report = shown and shown["ended_at"] and shown["report"]
    if not report:
        raise RuntimeError(f"the run did not end: {shown}")
    figures = {
        "ok": report["ok"],
        "documents": sum(part["zoho"] for part in report["entities"].values()),
        "calls": report["zoho_calls"],
        "seconds": round(time.monotonic() - started, 1),
        "peak_mb": _peak_mb(),
    }
    print(json.dumps(figures))


def _peak_mb() -> int:
    """This process's largest memory; getrusage would also count its parent's from before the start."""
    status = Path("/proc/self/status").read_text("ascii")
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024)
