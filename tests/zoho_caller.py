"""A simulator without sockets, under a clock that stands still until a test moves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from cli.local.zoho_simulator.options import Limits, Options
from cli.local.zoho_simulator.service import Service

BASE_DATE = date(2026, 3, 2)
NOON = 1_772_442_000.0  # 2026-03-02 12:00 in Baghdad


@dataclass
class Clock:
    """The time that the simulator sees."""

    time: float = NOON

    def __call__(self) -> float:
        return self.time


class Caller:
    """Calls the APIs with a good token and the right organisation."""

    def __init__(self, service: Service, portal: BlockingPortal, clock: Clock) -> None:
        self.service, self.portal, self.clock = service, portal, clock
        transport = httpx.ASGITransport(service.app(), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://simulator")
        self.token = service.accounts.mint()
        self.organization_id = service.world.organisation.organization_id

    def request(self, method: str, url: str, **given: Any) -> httpx.Response:
        """Any request, answered in the simulator's own event loop."""
        return self.portal.call(partial(self.client.request, method, url, **given))

    def get(self, path: str, *, product: str = "books/v3", **query: Any) -> httpx.Response:
        """The response of GET."""
        return self.request(
            "GET",
            f"/{product}{path}",
            params={"organization_id": self.organization_id, **query},
            headers={"Authorization": f"Zoho-oauthtoken {self.token}"},
        )

    def rows(self, path: str, key: str, **query: Any) -> list[dict[str, Any]]:
        """The rows of one page."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()[key])

    def control(self, method: str, path: str, json: Any = None, *, status: int = 200, **query: Any) -> Any:
        """The JSON of the control interface."""
        answer = self.request(method, f"/_simulator{path}", json=json, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()


@contextmanager
def simulated(**given: Any) -> Iterator[Caller]:
    """A caller of a new organisation, with high limits unless others are given."""
    clock = Clock()
    given.setdefault("limits", Limits(per_minute=None, in_flight=None, per_day=10_000))
    service = Service(Options(base_date=BASE_DATE, **given), clock)
    with start_blocking_portal() as portal:
        yield Caller(service, portal, clock)
