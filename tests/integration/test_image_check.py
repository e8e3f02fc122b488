"""Zoho's list, the bucket, the database and the public web, held against each other and healed."""

from collections.abc import Iterator
from dataclasses import replace

import boto3
import httpx
import pytest

from tds_core.errors import UnknownProduct
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.image_check import ImageCheck, ImageReport
from tds_core.sync.image_commands import ImageCommands
from tds_core.sync.image_store import ImageStore
from tests.integration.image_road import BUCKET, ImageRoad, bucket
from tests.integration.road import Connect, Waker
from tests.pictures import HTML, encoded, halves

PICTURE = encoded(halves(), "PNG")
IDS = ("1", "2", "3")


@pytest.fixture
def road(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImageRoad]:
    """Three products with stored images, and one without."""
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with bucket() as s3:
        made = ImageRoad(connect, s3)
        for product_id in IDS:
            made.serve(product_id, PICTURE)
        made.list_products(_1="100", _2="200", _3="300", _4="")
        made.work()
        yield made


def check(road: ImageRoad, *, heal: bool = False, for_s: float = 60.0, **answers: httpx.Response) -> ImageReport:
    """The comparison, with a public web that serves the bucket; `answers` are of single products, as p1."""
    settings = _with_base_url(road)

    def serve(request: httpx.Request) -> httpx.Response:
        name = "p" + request.url.path.rpartition("/")[2].removesuffix(".jpg")
        body = road.object(request.url.path.lstrip("/"))
        return answers.get(name) or httpx.Response(200, content=body, headers={"Content-Type": "image/jpeg"})

    http = httpx.Client(transport=httpx.MockTransport(serve))
    return ImageCheck(settings, database=road.database, bucket=road.store, http=http).run(heal=heal, for_s=for_s)


def _with_base_url(road: ImageRoad) -> Settings:
    return replace(road.settings, image_base_url="https://images.test")


def test_everything_as_it_has_to_be_is_ok(road: ImageRoad) -> None:
    report = check(road)
    assert report.is_ok and report.faults == {}
    assert (report.expected, report.stored, report.linked, report.reachable) == (3, 3, 3, 3)


def lose_object(road: ImageRoad) -> None:
    road.s3.delete_object(Bucket=BUCKET, Key="product-images/2.jpg")


def lose_thumbnail(road: ImageRoad) -> None:
    road.s3.delete_object(Bucket=BUCKET, Key="product-images/thumb/2.jpg")


def spoil_object(road: ImageRoad) -> None:
    road.s3.put_object(Bucket=BUCKET, Key="product-images/2.jpg", Body=HTML)


def lose_row(road: ImageRoad) -> None:
    road.database.execute("DELETE FROM erp.product_images WHERE product_id = '2'")


def lose_link(road: ImageRoad) -> None:
    road.database.execute("UPDATE erp.products SET image_url = NULL WHERE product_id = '2'")


def lose_request(road: ImageRoad) -> None:
    """The product's image changed, and nobody asked for it."""
    road.database.execute("UPDATE erp.products SET image_document_id = '201' WHERE product_id = '2'")
    road.database.execute("DELETE FROM tds.backlog")


def lose_removal(road: ImageRoad) -> None:
    road.lack("2")
    road.database.execute("UPDATE erp.products SET image_document_id = NULL WHERE product_id = '2'")
    road.database.execute("DELETE FROM tds.backlog")


def leave_an_object(road: ImageRoad) -> None:
    road.s3.put_object(Bucket=BUCKET, Key="product-images/2.jpg", Body=PICTURE)
    lose_row(road)
    road.lack("2")
    road.database.execute("DELETE FROM erp.products WHERE product_id = '2'")


HARM = {
    "object lost": (lose_object, "not in the bucket"),
    "thumbnail lost": (lose_thumbnail, "not in the bucket"),
    "object spoilt": (spoil_object, "not in the bucket"),
    "row lost": (lose_row, "not stored"),
    "link lost": (lose_link, "not linked"),
    "request lost": (lose_request, "another image in Zoho"),
    "removal lost": (lose_removal, "gone in Zoho"),
    "object of no product": (leave_an_object, "gone in Zoho"),
}


@pytest.mark.parametrize("kind", HARM)
def test_each_harm_is_found_named_and_healed(road: ImageRoad, kind: str) -> None:
    harm, fault = HARM[kind]
    harm(road)
    report = check(road, heal=True)
    assert report.faults.keys() == {"2"} and fault in report.faults["2"]
    assert not report.is_ok and report.healed == 1
    assert road.waiting()["2"]["priority"] == Priority.HEAL
    road.work()
    assert check(road).is_ok


def test_without_heal_nothing_is_requested(road: ImageRoad) -> None:
    lose_object(road)
    assert check(road).healed == 0
    assert road.waiting() == {}


UNREACHABLE = {
    "placeholder": (httpx.Response(404, content=PICTURE, headers={"Content-Type": "image/jpeg"}), "HTTP 404"),
    "html": (httpx.Response(200, content=HTML, headers={"Content-Type": "text/html"}), "no JPEG"),
    "another size": (httpx.Response(200, content=b"x", headers={"Content-Type": "image/jpeg"}), "another size"),
}


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_what_the_public_address_does_not_serve_is_told(road: ImageRoad, kind: str) -> None:
    answer, fault = UNREACHABLE[kind]
    report = check(road, p2=answer)
    assert (report.stored, report.linked, report.reachable) == (3, 3, 2)
    assert fault in report.faults["2"]


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_what_only_the_web_does_not_serve_costs_no_call_and_the_edge_is_told(
    road: ImageRoad, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(road.store, "invalidate", told.append)
    lose_link(road)
    answer, _ = UNREACHABLE[kind]
    calls = len(road.downloads)
    report = check(road, heal=True, p1=answer, p3=answer)
    assert report.faults.keys() == {"1", "2", "3"} and sorted(report.unserved) == ["1", "3"] and not report.is_ok
    assert report.healed == 1 and road.waiting().keys() == {"2"}
    road.work()
    assert road.downloads[calls:] == ["2"]
    assert [sorted(ids) for ids in told[:1]] == [["1", "3"]]


def test_the_edge_is_told_by_healing_only(road: ImageRoad, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(road.store, "invalidate", told.append)
    assert check(road, p1=httpx.Response(503)).unserved == ["1"]
    assert told == []


@pytest.mark.parametrize(("count", "paths"), [(1, 2), (50, 100), (51, 1), (1_621, 1)])
def test_many_pictures_are_one_path_to_the_edge(road: ImageRoad, count: int, paths: int) -> None:
    edge = boto3.client("cloudfront")
    origin = {"Id": "bucket", "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    behaviour = {
        "TargetOriginId": "bucket",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
    }
    made = edge.create_distribution(
        DistributionConfig={
            "CallerReference": "r",
            "Comment": "",
            "Enabled": True,
            "Origins": {"Quantity": 1, "Items": [origin]},
            "DefaultCacheBehavior": behaviour,
        }
    )["Distribution"]["Id"]
    ImageStore(replace(road.settings, image_distribution_id=made)).invalidate(str(one) for one in range(count))
    (listed,) = edge.list_invalidations(DistributionId=made)["InvalidationList"]["Items"]
    batch = edge.get_invalidation(DistributionId=made, Id=listed["Id"])["Invalidation"]["InvalidationBatch"]
    assert batch["Paths"]["Quantity"] == len(batch["Paths"]["Items"]) == paths
    assert batch["Paths"]["Items"][0] == ("/product-images/*" if paths == 1 else "/product-images/0.jpg")


def test_what_is_on_its_way_is_no_fault_but_not_ok(road: ImageRoad) -> None:
    road.list_products(_1="101", _2="200", _3="300")
    report = check(road, heal=True)
    assert (report.faults, report.pending, report.healed, report.is_ok) == ({}, 1, 0, False)


def test_what_was_given_up_is_told_with_its_reason(road: ImageRoad) -> None:
    road.serve("1", HTML)
    road.list_products(_1="101", _2="200", _3="300")
    for _ in range(6):
        road.later()
        road.work()
    report = check(road)
    assert "HTML" in report.parked["1"] and not report.is_ok and report.pending == 0


def test_when_the_time_is_up_the_rest_is_unchecked_and_not_ok(road: ImageRoad) -> None:
    report = check(road, for_s=-1.0)
    assert (report.unchecked, report.reachable, report.is_ok) == (3, 0, False)


def test_the_commands_count_request_and_wake(road: ImageRoad) -> None:
    waker = Waker()
    commands = ImageCommands(_with_base_url(road), database=road.database, waker=waker)  # type: ignore[arg-type]
    assert commands.figures() == {"expected": 3, "stored": 3, "linked": 3}
    assert commands.sync() == {"requested": 0}
    lose_request(road)
    assert commands.figures() == {"expected": 3, "stored": 2, "linked": 2}
    assert commands.sync() == {"requested": 1}
    assert road.waiting()["2"]["priority"] == Priority.IMAGES
    with pytest.raises(UnknownProduct, match=r"no product 98, 99$"):
        commands.sync(ids=["1", "99", "98"])
    assert commands.sync(ids=["1"]) == {"requested": 1}
    assert road.waiting()["1"]["priority"] == Priority.MANUAL
    told = commands.status()
    assert (told["pending"], told["parked"], told["example"]) == (2, {}, "https://images.test/product-images/1.jpg")
    assert waker.wakes == 3
