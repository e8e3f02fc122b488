"""Images within a verification: found, healed and looked at again, and a missing one makes the run not ok."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tds_core.database import verifications
from tds_core.database.verifications import Verification
from tds_core.errors import QueueUnavailable
from tds_core.sync.image_check import ImageCheck
from tds_core.sync.image_proof import ImageProof, part
from tests.integration.image_road import BUCKET, ImageRoad, bucket
from tests.integration.road import Connect, Json, Waker
from tests.pictures import encoded, halves

PICTURE = encoded(halves(), "PNG")


@pytest.fixture
def road(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImageRoad]:
    """Two products with stored images."""
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with bucket() as s3:
        made = ImageRoad(connect, s3)
        for product_id in ("1", "2"):
            made.serve(product_id, PICTURE)
        made.list_products(_1="100", _2="200", _3="")
        made.work()
        yield made


class Proof:
    """The step on a real run, and a public web that serves the bucket."""

    def __init__(self, road: ImageRoad, *entities: str, heal: bool) -> None:
        self.road, self.waker = road, Waker()
        self.is_dark = False
        settings = replace(road.settings, image_base_url="https://images.test")

        def serve(request: httpx.Request) -> httpx.Response:
            if self.is_dark:
                raise httpx.ConnectError("no such name")
            body = road.object(request.url.path.lstrip("/"))
            return httpx.Response(200, content=body, headers={"Content-Type": "image/jpeg"})

        http = httpx.Client(transport=httpx.MockTransport(serve))
        check = ImageCheck(settings, database=road.database, bucket=road.store, http=http)
        self.proof = ImageProof(road.database, check=check, waker=self.waker)
        verifications.request(road.database, entities or ["products"], cause="manual", heal=heal)
        self.run = self._current()
        with road.database.transaction() as connection:
            verifications.move(connection, self.run, place={}, phase="images")

    def _current(self) -> Verification:
        run = verifications.current(self.road.database)
        assert run is not None
        return run

    def step(self, *, for_s: float = 600.0) -> str:
        """Look once; "waits", or the phase that the run is in."""
        went_on = self.proof.step(self._current(), for_s=for_s)
        self.run = self._current()
        return "waits" if went_on is None else self.run.phase

    @property
    def part(self) -> Json:
        found = part(self.run)
        assert found is not None
        return found

    def age(self, interval: str) -> None:
        self.road.database.execute(f"UPDATE tds.verifications SET phase_at = phase_at - interval '{interval}'")


def lose(road: ImageRoad, product_id: str = "2") -> None:
    road.s3.delete_object(Bucket=BUCKET, Key=f"product-images/{product_id}.jpg")


def test_images_that_are_as_they_have_to_be_are_ok_at_the_first_look(road: ImageRoad) -> None:
    proof = Proof(road, heal=True)
    assert proof.step() == "report"
    sides = {"expected": 2, "stored": 2, "linked": 2, "reachable": 2}
    assert proof.part == {"ok": True, "pending": 0, "healed": 0, "remaining": 0, "faults": {}, "error": None} | sides


def test_a_missing_image_makes_a_run_that_heals_nothing_not_ok(road: ImageRoad) -> None:
    lose(road)
    proof = Proof(road, heal=False)
    assert proof.step() == "report"
    assert (proof.part["ok"], proof.part["stored"], proof.part["remaining"]) == (False, 1, 1)
    assert "bucket" in proof.part["faults"]["2"] and road.waiting() == {}


def test_a_missing_image_is_healed_and_looked_at_again_before_the_report(road: ImageRoad) -> None:
    lose(road)
    proof = Proof(road, heal=True)
    assert proof.step() == "images"
    assert [proof.step(), proof.step()] == ["waits", "waits"]
    assert proof.waker.wakes == 2
    road.work()
    assert proof.step() == "report"
    found = {name: proof.part[name] for name in ("ok", "expected", "stored", "healed", "remaining", "faults")}
    assert found == {"ok": True, "expected": 2, "stored": 1, "healed": 1, "remaining": 0, "faults": {}}


def test_a_web_without_its_name_is_told_and_asks_zoho_for_nothing(road: ImageRoad) -> None:
    proof = Proof(road, heal=True)
    proof.is_dark = True
    assert proof.step() == "report"
    assert road.waiting() == {}
    assert (proof.part["ok"], proof.part["healed"], proof.part["remaining"]) == (False, 0, 2)
    assert proof.part["faults"]["1"] == "no answer at its address: ConnectError"


def test_what_could_not_be_healed_is_told_with_its_reason(road: ImageRoad) -> None:
    lose(road)
    road.serve("2", httpx.Response(200, content=b"<html>", headers={"Content-Type": "text/html"}))
    proof = Proof(road, heal=True)
    proof.step()
    for _ in range(6):
        road.later()
        road.work()
    assert proof.step() == "report"
    assert (proof.part["ok"], proof.part["healed"], proof.part["remaining"]) == (False, 0, 1)
    assert "HTML" in proof.part["faults"]["2"]


def test_what_is_not_healed_in_an_hour_is_told_as_it_is(road: ImageRoad) -> None:
    lose(road)
    proof = Proof(road, heal=True)
    proof.step()
    proof.age("2 hours")
    assert proof.step() == "report"
    assert (proof.part["ok"], proof.part["healed"], proof.part["pending"]) == (False, 0, 1)


def test_what_is_on_its_way_is_not_waited_for_and_not_ok(road: ImageRoad) -> None:
    road.list_products(_1="101", _2="200", _3="")
    proof = Proof(road, heal=True)
    assert proof.step() == "report"
    assert (proof.part["ok"], proof.part["pending"], proof.part["remaining"]) == (False, 1, 0)


def test_a_look_that_ran_out_of_time_is_taken_again_with_more(road: ImageRoad) -> None:
    proof = Proof(road, heal=True)
    assert proof.step(for_s=-1.0) == "waits"
    assert proof.step() == "report" and proof.part["ok"]


def test_entities_without_images_are_not_asked_for_any(road: ImageRoad) -> None:
    lose(road)
    proof = Proof(road, "invoices", heal=True)
    assert proof.step() == "report"
    assert part(proof.run) is None and road.waiting() == {}


def test_a_bucket_that_cannot_be_read_is_tried_for_an_hour_and_then_told(road: ImageRoad, monkeypatch: Any) -> None:
    def broken() -> None:
        raise QueueUnavailable("bucket not listed")

    monkeypatch.setattr(road.store, "objects", broken)
    proof = Proof(road, heal=True)
    with pytest.raises(QueueUnavailable):
        proof.step()
    proof.age("2 hours")
    assert proof.step() == "report"
    assert proof.part["ok"] is False and "bucket not listed" in proof.part["error"]
    assert (proof.part["expected"], proof.part["faults"]) == (0, {}), "whoever reads it finds every figure"
