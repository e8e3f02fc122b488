"""A history under Zoho's real limits: rate held, calls needed, webhooks meanwhile, and a plain client beside it.

The plain client is what a connector commonly does: read a list, then one detail for each of its rows, one call after
the other, and wait a minute at a 429. It reads the same company from a simulator of its own, at the same limits and
latency, for the same time.
"""

import itertools
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cli.local.stack import Wish
from cli.local.state import StateDirectory
from cli.local.zoho_simulator.launch import start
from cli.local.zoho_simulator.server import Details
from cli.reckoning import least_calls
from tds_core.entities import REGISTRY
from tds_core.entities.spec import EntitySpec
from tds_core.zoho.caller import VERSIONS
from tests.stack.running import Stack, deployed, wait_for

PER_MINUTE, IN_FLIGHT, LATENCY_S = 100, 10, 0.25
SIZE = "demo"
HELD = 0.95
CALLS_RATIO = 1.02
WEBHOOK_P99_S = 5.0
FETCHED_P99_S = 30.0
WAITING = 3  # those that came last may be on their way
MIX = {"create": 35, "edit": 55, "delete": 10}
_FAST = 6_000
_PAUSE_S = {44: 60.0, 1070: 2.0}


def run(*, seconds: int = 300) -> dict[str, Any]:
    """The figures; raises RuntimeError when one is missed."""
    calls = _calls_of_a_history()
    wish = Wish(size=SIZE, minute_limit=PER_MINUTE, in_flight_limit=IN_FLIGHT)
    with ThreadPoolExecutor(1) as pool, _stack(wish) as stack:
        plain = pool.submit(_plain_client, seconds)
        ours = _at_the_real_rate(stack, seconds)
        figures = {"whole_history": calls, "ours": ours, "plain_client": plain.result()}
    missed = [
        name
        for name, is_held in {
            "rate": ours["share_of_permitted"] >= HELD,
            "429": not ours["refused"],
            "webhooks applied at once": ours["webhooks"]["applied"]["seconds"]["p99"] < WEBHOOK_P99_S,
            "webhooks fetched": ours["webhooks"]["fetched"]["seconds"]["p99"] < FETCHED_P99_S,
            "webhooks waiting": ours["webhooks"]["fetched"]["waiting"] <= WAITING,
            "calls": calls["ratio"] <= CALLS_RATIO,
            "completeness": calls["documents_missing"] == 0,
        }.items()
        if not is_held
    ]
    if missed:
        raise RuntimeError(f"missed: {', '.join(missed)}: {figures}")
    return figures


def _calls_of_a_history() -> dict[str, Any]:
    """A whole history with nothing in its way, against the fewest calls that it can need."""
    with _stack(Wish(minute_limit=_FAST, in_flight_limit=IN_FLIGHT, schedules=False)) as stack:
        stack.zoho("POST", "/stats/reset")
        stack.backfill()
        calls = stack.zoho("GET", "/stats")["total_calls"]
        held = {name: len(stack.documents(name)) for name in REGISTRY}
        missing = sum(held.values()) - sum(_fetched(stack).values())
        images = stack.deployment.ask("status", {})["images"]["expected"]
    least = least_calls(held) + images
    return {"calls": calls, "least": least, "ratio": round(calls / least, 4), "documents_missing": missing}


def _at_the_real_rate(stack: Stack, seconds: int) -> dict[str, Any]:
    """So many seconds of a history, by its schedules, while people work and webhooks come."""
    stack.zoho("PUT", "/limits", {"latency_s": LATENCY_S})
    for name, spec in REGISTRY.items():  # each function starts once before the measurement
        if spec.webhook_modules:
            stack.create(name)
    wait_for(lambda: not stack.deployment.queued(), "the first webhooks are not applied", timeout_s=180)
    stack.zoho("POST", "/stats/reset")
    stack.zoho("POST", "/activity", {"events": seconds * 2 // 5, "per_second": 0.4, "mix": MIX})
    began, since = time.monotonic(), stack.deployment.ask("status", {})["now"]
    stack.deployment.ask("backfill", {"entities": []})
    time.sleep(seconds)
    stats, fetched = stack.zoho("GET", "/stats"), _fetched(stack)
    passed_s = time.monotonic() - began
    webhooks = stack.deployment.ask("status", {"since": since})["webhooks"]
    return {
        "seconds": round(passed_s),
        "calls": stats["total_calls"],
        "share_of_permitted": round(stats["total_calls"] / (PER_MINUTE * passed_s / 60), 3),
        "most_in_60_s": stats["max_calls_in_60_s"],
        "most_in_flight": stats["max_in_flight"],
        "refused": stats["refused"],
        "mints": stats["mints"],
        "documents": sum(fetched.values()),
        "rows": sum(part["erp"] for part in stack.deployment.ask("status", {})["entities"].values()),
        "webhooks": webhooks,
    }


def _fetched(stack: Stack) -> dict[str, int]:
    """Whole documents in the mirror."""
    return {name: sum(document is not None for document in stack.stored(name).values()) for name in REGISTRY}


def _plain_client(seconds: int) -> dict[str, Any]:
    """What a sequential client has after the same time."""
    server = start(size=SIZE, per_minute=PER_MINUTE, in_flight=IN_FLIGHT)
    try:
        control = server.details.control_url
        httpx.put(f"{control}/limits", json={"latency_s": LATENCY_S}).raise_for_status()
        documents = PlainClient(server.details).read(seconds)
        stats = httpx.get(f"{control}/stats").json()
    finally:
        server.stop()
    return {
        "seconds": seconds,
        "calls": stats["total_calls"],
        "refused": stats["refused"],
        "mints": stats["mints"],
        "documents": documents,
        "webhooks": 0,
    }


class PlainClient:
    """Lists and details in turn, one call at a time; a 429 is waited out and asked again."""

    def __init__(self, server: Details) -> None:
        self._server = server
        self._http = httpx.Client(timeout=60)
        self._until = 0.0
        self._token = self._mint()

    def read(self, seconds: float) -> int:
        """Read entity after entity for so long; returns how many documents came."""
        self._until = time.monotonic() + seconds
        return sum(1 for spec in REGISTRY.values() for _ in self._documents(spec))

    def _documents(self, spec: EntitySpec) -> Iterator[dict[str, Any]]:
        for row in self._rows(spec):
            if spec.rows_are_documents:
                yield row
            elif document := self._get(spec, f"/{row[spec.zoho_key]}"):
                yield document

    def _rows(self, spec: EntitySpec) -> Iterator[dict[str, Any]]:
        for page in itertools.count(1):
            answer = self._get(spec, "", page=str(page), per_page="200", **spec.list_parameters)
            yield from answer.get(spec.list_key, ())
            if not answer.get("page_context", {}).get("has_more_page"):
                return

    def _get(self, spec: EntitySpec, path: str, **query: str) -> dict[str, Any]:
        """One answer; empty when the time is up."""
        url = f"{self._server.api_url}/{spec.product}/{VERSIONS[spec.product]}{spec.path}{path}"
        query["organization_id"] = self._server.organization_id
        while time.monotonic() < self._until:
            answer = self._http.get(url, params=query, headers={"Authorization": f"Zoho-oauthtoken {self._token}"})
            body: dict[str, Any] = answer.json()
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                answer.raise_for_status()
                return body
            time.sleep(max(0.0, min(_PAUSE_S[body["code"]], self._until - time.monotonic())))
        return {}

    def _mint(self) -> str:
        known = self._server
        login = {"client_id": known.client_id, "client_secret": known.client_secret}
        form = {**login, "refresh_token": known.refresh_token, "grant_type": "refresh_token"}
        return str(self._http.post(f"{known.accounts_url}/oauth/v2/token", data=form).json()["access_token"])


@contextmanager
def _stack(wish: Wish) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="tds-bench-", ignore_cleanup_errors=True) as folder,
        deployed(StateDirectory(Path(folder)), wish) as stack,
    ):
        yield stack
