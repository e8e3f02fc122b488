"""Verification while people work in Zoho: what changes between two pages or before its confirmation is no drift."""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tds_core.database import reckoning, verifications
from tds_core.entities import REGISTRY
from tests.integration.proving import drain, finish
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

ENTITIES = ("invoices", "bills", "credit_notes")
RECORDS, PAGE, CHANGES, LATEST_CALL = 40, 8, 60, 8
PROMISED_S = 30.0
PLANTED = {("invoices", "1001", "total"), ("bills", "2001", "")}


class BusyZoho(Zoho):
    """A Zoho in which something happens right after each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.afterwards: Callable[[], None] = lambda: None

    def usual(self, request: httpx.Request) -> httpx.Response:
        answered = super().usual(request)
        self.afterwards()
        return answered

    def relist(self, entity: str) -> None:
        """Show what there is, in pages, the oldest first."""
        spec, keys = REGISTRY[entity], row(entity, "1").keys()
        path = next(path for path in self.documents if path.endswith(spec.path))
        rows = [{name: one[name] for name in one.keys() & keys} for one in self.documents[path].values()]
        self.listing(entity, *(rows[at : at + PAGE] for at in range(0, len(rows), PAGE)))


class Staff:
    """People who create, edit and delete after each of Zoho's answers; every webhook comes, some late.

    A late one comes some calls afterwards, or only when the run has nothing left to ask. What is planted is left alone.
    """

    def __init__(self, connect: Connect, zoho: BusyZoho, *, seed: int) -> None:
        self.zoho, self.chance, self.done, self.lock = zoho, random.Random(seed), 0, threading.Lock()
        self.queued = {entity: Queued(entity, connect()) for entity in ENTITIES}
        self.late: list[tuple[float, str, Json]] = []
        self.calls = 0
        self.ids = {entity: [str(1000 * n + i) for i in range(RECORDS)] for n, entity in enumerate(ENTITIES, 1)}
        self.at_rest = {(entity, one) for entity, one, _ in PLANTED}

    def work(self) -> None:
        with self.lock:
            self.calls += 1
            self._deliver(self.calls)
            for _ in range(self.chance.randint(0, 4)):
                if self.done < CHANGES:
                    self._change()

    def deliver_all(self) -> None:
        with self.lock:
            self._deliver(float("inf"))

    def _deliver(self, call: float) -> None:
        due = [one for one in self.late if one[0] <= call]
        self.late = [one for one in self.late if one[0] > call]
        for _, entity, body in due:
            assert self.queued[entity].handle(record(body)) == []

    def _change(self) -> None:
        self.done += 1
        entity, deed = self.chance.choice(ENTITIES), self.chance.choice(["edit", "edit", "create", "delete"])
        ids = self.ids[entity]
        one = self.chance.choice([known for known in ids if (entity, known) not in self.at_rest])
        if deed == "delete":
            ids.remove(one)
            self.zoho.forget(entity, one)
            body = message(entity, op="delete", ids=[one])
        else:
            if deed == "create":
                one = str(int(ids[-1]) + 1)
                ids.append(one)
            whole = changed(entity, one, total=self.chance.randint(1, 10**6))
            self.zoho.put(entity, whole)
            body = message(entity, whole)
        self.zoho.relist(entity)
        after = self.chance.choice([0, 0, self.chance.randint(1, LATEST_CALL), float("inf")])
        self.late.append((self.calls + after, entity, body))
        self._deliver(self.calls)


def changed(entity: str, document_id: str, **values: Any) -> Json:
    return document(entity, document_id, last_modified_time=zoho_time(datetime.now(UTC)), **values)


def start(connect: Connect, zoho: BusyZoho, *, seed: int) -> tuple[Road, Staff]:
    """A mirror that equals Zoho but for what is planted, and people who begin to work."""
    road, staff = (
        Road(connect, zoho.http, deletion_share=1.0, announced_within_s=PROMISED_S),
        Staff(connect, zoho, seed=seed),
    )
    for entity, ids in staff.ids.items():
        zoho.put(entity, *(document(entity, one) for one in ids))
        zoho.relist(entity)
        road.request(entity, *ids)
    road.work()
    road.database.execute("DELETE FROM tds.backlog")
    return road, staff


def verify(road: Road, *, heal: bool, meanwhile: Callable[[], None] = lambda: None) -> tuple[int, Json]:
    """A run; `meanwhile` is what happens while it waits for announcements, for as long as is promised."""
    number = verifications.request(road.database, ENTITIES, cause="manual", heal=heal)

    def between(shown: Json) -> None:
        if shown["phase"] == "report":
            meanwhile()
            road.database.execute(
                "UPDATE tds.drift SET suspected_at = suspected_at - make_interval(secs => %s)", (PROMISED_S,)
            )
        drain(road)

    return number, finish(road, number, between=between)


def confirmed(road: Road, number: int) -> set[tuple[str, str, str]]:
    told = reckoning.differences(road.database, number)
    return {(one["entity"], one["id"], one["field"]) for one in told if one["status"] == "confirmed"}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("heal", [True, False], ids=["heal", "look"])
def test_only_what_was_planted_is_confirmed_while_changes_arrive(connect: Connect, heal: bool, seed: int) -> None:
    zoho = BusyZoho()
    road, staff = start(connect, zoho, seed=seed)
    road.database.execute("UPDATE erp.invoices SET total = total + 0.01 WHERE invoice_id = '1001'")
    road.database.execute("DELETE FROM erp.bills WHERE bill_id = '2001'")
    zoho.afterwards = staff.work
    number, _ = verify(road, heal=heal, meanwhile=staff.deliver_all)
    assert staff.done >= CHANGES / 2, "people worked meanwhile"
    assert confirmed(road, number) == PLANTED
    zoho.afterwards = lambda: None
    staff.deliver_all()
    patient = Road(connect, zoho.http, deletion_share=1.0, patience_s=60)
    patient.work()
    _, report = verify(patient, heal=True)
    assert report["ok"] is True, report
    for entity, ids in staff.ids.items():
        assert sorted(mirrored(road.database, entity)) == sorted(ids)
