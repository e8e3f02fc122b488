"""The simulator with a trading company's whole history: how soon it serves, and what it answers a second of one core.

Every call asks for something that no call before it asked for, so nothing is answered from an earlier answer. A rate is
calls by the server's own processor time: the client, which needs more of it, does not count.
"""

import itertools
import json
import time
from collections.abc import Iterable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil

from cli.local.zoho_simulator.launch import Running, start

PAGES = 100
CALLS = 400
_LISTS = {
    "books": ("invoices", "salesorders", "customerpayments", "contacts", "creditnotes", "bills"),
    "inventory": ("items", "inventoryadjustments"),
}
_SORTS = ("date", "last_modified_time", "total", "created_time")


class Client:
    """One connection with a token; every answer must be 200."""

    def __init__(self, server: Running) -> None:
        known = server.details
        self._organization_id = known.organization_id
        self._connection = HTTPConnection(str(urlsplit(known.api_url).netloc), timeout=60)
        login = {"client_id": known.client_id, "client_secret": known.client_secret}
        form = {**login, "refresh_token": known.refresh_token, "grant_type": "refresh_token"}
        self._connection.request("POST", "/oauth/v2/token?" + urlencode(form))
        token = json.loads(self._connection.getresponse().read())["access_token"]
        self._headers = {"Authorization": f"Zoho-oauthtoken {token}"}

    def get(self, path: str, **query: object) -> bytes:
        """The body of one answer; raises RuntimeError when it is a refusal."""
        full = f"{path}?{urlencode({'organization_id': self._organization_id, **query})}"
        self._connection.request("GET", full, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{full} was answered with {answer.status}")
        return body


def run() -> dict[str, float]:
    """Seconds until a new simulator serves, and cold answers a second for each kind of request."""
    started = time.perf_counter()
    server = start(size="tsh", per_minute=0, in_flight=0, per_day=0)
    figures = {"build_s": round(time.perf_counter() - started, 2)}
    try:
        client, process = Client(server), psutil.Process(server.process.pid)
        pages: list[dict[str, Any]] = []
        for name, calls in _kinds(client, pages):
            before, count = process.cpu_times(), 0
            for body in calls:
                count += 1
                if name == "list":
                    pages.append(json.loads(body))
            after = process.cpu_times()
            figures[f"{name}_per_s"] = round(count / (after.user + after.system - before.user - before.system))
    finally:
        server.stop()
    return figures


def _kinds(client: Client, pages: list[dict[str, Any]]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The kinds of request, each with its calls; ids are those of the pages that were read first."""
    yield "list", _pages(client)
    rows = [(key, row) for page in pages for key, value in page.items() if isinstance(value, list) for row in value]
    times = sorted({row["last_modified_time"] for key, row in rows if key == "invoices"})[-CALLS:]
    yield "filtered_list", (client.get("/books/v3/invoices", last_modified_time=since) for since in times)
    customers = [row["contact_id"] for key, row in rows if key == "contacts"][:CALLS]
    yield "customers_list", (client.get("/books/v3/invoices", customer_id=customer) for customer in customers)
    yield "sorted_list", _sorted_pages(client)
    for key, path, name in (
        ("invoices", "/books/v3/invoices", "invoice_id"),
        ("salesorders", "/books/v3/salesorders", "salesorder_id"),
        ("contacts", "/books/v3/contacts", "contact_id"),
    ):
        ids = [row[name] for kind, row in rows if kind == key][:CALLS]
        yield f"{key}_detail", (client.get(f"{path}/{record_id}") for record_id in ids)
    items = [row for key, row in rows if key == "items"]
    hundreds = [",".join(row["item_id"] for row in items[at : at + 100]) for at in range(0, len(items), 5)]
    yield "itemdetails", (client.get("/inventory/v1/itemdetails", item_ids=ids) for ids in hundreds)
    pictured = [row["item_id"] for row in items if row["image_document_id"]]
    yield "image", (client.get(f"/inventory/v1/items/{item_id}/image") for item_id in pictured[:CALLS])


def _pages(client: Client) -> Iterator[bytes]:
    """Every list from its first page on."""
    for product, version in (("books", "v3"), ("inventory", "v1")):
        for name in _LISTS[product]:
            for page in range(1, PAGES + 1):
                body = client.get(f"/{product}/{version}/{name}", page=page, per_page=200)
                yield body
                if b'"has_more_page":false' in body[-600:]:
                    break


def _sorted_pages(client: Client) -> Iterator[bytes]:
    for column, order, page in itertools.product(_SORTS, "AD", range(1, PAGES // 4)):
        yield client.get("/books/v3/invoices", sort_column=column, sort_order=order, page=page)


if __name__ == "__main__":
    for key, value in run().items():
        print(f"{key:24}{value:10,.2f}")
