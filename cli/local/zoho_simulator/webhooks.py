"""Zoho's webhook emitter: one POST per change and module, without retries, and as unreliable as it is told to be."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

import httpx

from cli.local.zoho_simulator import clock
from cli.local.zoho_simulator.options import Quirks
from cli.local.zoho_simulator.webhook_bodies import STYLES, Body, body_of, signature
from cli.local.zoho_simulator.world import Event

KEPT = 20_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How webhooks go out. Without `base_url` there are none, without `modules` all have them.

    `loss`, `duplication` and `reordering` are shares; a reordered one is held up to `reorder_s` longer, all others
    keep their order as far as `concurrency` allows. `retries` is how often a webhook that was not accepted goes out
    again, `retry_s` after the first failure and twice as long after each further one; `per_day` ends a day's webhooks,
    `max_bytes` keeps larger ones back. 0 is no limit.
    """

    base_url: str = ""
    secret: str = ""
    modules: tuple[str, ...] = ()
    style: str = "default"
    loss: float = 0.0
    duplication: float = 0.0
    delay_s: tuple[float, float] = (0.0, 0.0)
    reordering: float = 0.0
    reorder_s: float = 2.0
    concurrency: int = 10
    timeout_s: float = 10.0
    query: Mapping[str, str] = field(default_factory=dict)
    with_organization: bool = False
    split_contacts: bool = False
    sign_form_body: bool = False
    retries: int = 0
    retry_s: float = 1.0
    per_day: int = 0
    max_bytes: int = 0

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(f"unknown style {self.style!r}: choose one of {', '.join(STYLES)}")
        for name in ("loss", "duplication", "reordering"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share between 0 and 1")
        if not 0 <= self.delay_s[0] <= self.delay_s[1]:
            raise ValueError("delay_s: [least, most]")
        if self.concurrency < 1:
            raise ValueError("concurrency: at least 1")
        if min(self.retries, self.retry_s, self.per_day, self.max_bytes) < 0:
            raise ValueError("retries, retry_s, per_day and max_bytes are not negative")

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """These settings with some set anew; raises TypeError for unknown names."""
        tuples = {name: tuple(given[name]) for name in ("modules", "delay_s") if name in given}
        return replace(self, **{**given, **tuples})


@dataclass(order=True, slots=True)
class _Due:
    at: float
    serial: int
    event: Event = field(compare=False)
    duplicate: bool = field(compare=False)
    attempt: int = field(compare=False, default=0)


class Emitter:
    """Sends what changes announce; runs in the server's event loop and keeps a record of every delivery."""

    def __init__(self, random: Random, quirks: Quirks, organization_id: str) -> None:
        self.settings = Settings()
        self.counts: Counter[str] = Counter()
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._random = random
        self._quirks = quirks
        self._organization_id = organization_id
        self._due: list[_Due] = []
        self._serial = 0
        self._last_due = 0.0
        self._day, self._today = 0, 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._client: httpx.AsyncClient | None = None
        self.transport: httpx.AsyncBaseTransport | None = None  # another way out, for tests

    # -- queueing

    def announce(self, event: Event) -> None:
        """Take a change; called when it is complete."""
        settings = self.settings
        if not settings.base_url or (settings.modules and event.spec.name not in settings.modules):
            return
        if event.derived and not self._quirks.derived_changes_fire_webhooks:
            return
        self.counts["events"] += 1
        if settings.per_day and not self._within_day(settings.per_day):
            self.counts["beyond_day"] += 1
            self._note(event, lost=True)
            return
        if self._random.random() < settings.loss:
            self.counts["lost"] += 1
            self._note(event, lost=True)
            return
        due = max(time.monotonic() + self._random.uniform(*settings.delay_s), self._last_due)
        if self._random.random() < settings.reordering:
            self.counts["reordered"] += 1
            self._put(event, due + self._random.uniform(0, settings.reorder_s), duplicate=False)
        else:
            self._last_due = due
            self._put(event, due, duplicate=False)
        if self._random.random() < settings.duplication:
            self.counts["duplicated"] += 1
            self._put(event, due + 0.1, duplicate=True)

    def _within_day(self, per_day: int) -> bool:
        day = clock.day_number(time.time())
        if day != self._day:
            self._day, self._today = day, 0
        self._today += 1
        return self._today <= per_day

    def _put(self, event: Event, due: float, *, duplicate: bool, attempt: int = 0) -> None:
        self._serial += 1
        heapq.heappush(self._due, _Due(due, self._serial, event, duplicate, attempt))
        self._wake.set()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())

    @property
    def pending(self) -> int:
        """What is still to be sent or answered."""
        return len(self._due) + len(self._under_way)

    # -- sending

    async def _work(self) -> None:
        """Send what is due, at most `concurrency` at a time."""
        while self._due:
            wait = self._due[0].at - time.monotonic()
            if wait > 0:
                self._wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                continue
            if len(self._under_way) >= self.settings.concurrency:
                await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
                continue
            due = heapq.heappop(self._due)
            task = asyncio.create_task(self._send(due))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _send(self, due: _Due) -> None:
        settings, event = self.settings, due.event
        body = body_of(
            event,
            style=settings.style,
            deletion=self._quirks.deletion_body,
            organization_id=self._organization_id if settings.with_organization else "",
        )
        if settings.max_bytes and len(body.content) > settings.max_bytes:
            self.counts["too_large"] += 1
            self._note(event, lost=True)
            return
        url = f"{settings.base_url.rstrip('/')}/{self._module(event)}/{event.event}"
        sent_at, started = time.time(), time.monotonic()
        status, error = 0, ""
        try:
            answer = await self._http().post(
                url, params=dict(settings.query), content=body.content, headers=self._headers(body)
            )
            status = answer.status_code
        except httpx.HTTPError as exc:
            error = f"{type(exc).__name__}: {exc}"
        self.counts["sent"] += 1
        self.counts["failed" if error else "accepted" if 200 <= status < 300 else "refused"] += 1
        self._note(
            event,
            sent_at=sent_at,
            seconds=round(time.monotonic() - started, 6),
            status=status,
            error=error,
            duplicate=due.duplicate,
            attempt=due.attempt,
        )
        if due.attempt < settings.retries and not 200 <= status < 300:
            self.counts["retried"] += 1
            wait = settings.retry_s * 2**due.attempt
            self._put(event, time.monotonic() + wait, duplicate=due.duplicate, attempt=due.attempt + 1)

    def _module(self, event: Event) -> str:
        if self.settings.split_contacts and event.spec.name == "contacts":
            return f"{event.document['contact_type']}s"
        return event.spec.name

    def _headers(self, body: Body) -> dict[str, str]:
        settings = self.settings
        headers = {"Content-Type": body.content_type, "User-Agent": "ZohoBooks"}
        if settings.secret:
            signed = signature(settings.secret, body, settings.query, form_with_body=settings.sign_form_body)
            headers["X-Zoho-Webhook-Signature"] = signed
        return headers

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self.settings.timeout_s, trust_env=False, transport=self.transport)
        return self._client

    # -- telling

    def _note(self, event: Event, **known: Any) -> None:
        noted = {"module": event.spec.name, "event": event.event, "id": event.id, "derived": event.derived}
        self.deliveries.append({**noted, "lost": False, "duplicate": False, **known})

    def configure(self, given: Mapping[str, Any]) -> None:
        """Set some settings anew; a new client is made for a new timeout."""
        self.settings = self.settings.changed(given)
        if "timeout_s" in given:
            self._client = None

    def reset(self) -> None:
        """Forget what was delivered."""
        self.counts.clear()
        self.deliveries.clear()

    def shown(self, deliveries: int = 0) -> dict[str, Any]:
        """Settings, counts, times, and the last deliveries."""
        seconds = sorted(entry["seconds"] for entry in self.deliveries if entry.get("status"))
        last = list(self.deliveries)[-deliveries:] if deliveries else []
        return {
            "settings": {**asdict(self.settings), "secret": bool(self.settings.secret)},
            "counts": dict(self.counts),
            "pending": self.pending,
            "seconds": {f"p{share}": percentile(seconds, share) for share in (50, 95, 99, 100)},
            "deliveries": last,
        }


def percentile(ordered: list[float], share: int) -> float | None:
    """The value below which `share` percent of them lie; None of nothing."""
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)] if ordered else None
