"""From the products list to the stored image and its link: each image once, errors never, nothing lost."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import psycopg
import pytest
from PIL import Image

from tds_core.database import backlog, deletions, images
from tds_core.errors import QueueUnavailable
from tds_core.priority import Priority
from tds_core.sync import image_feed, image_store
from tds_core.sync.custom_resource import CustomResource
from tds_core.sync.places import ParkedPlace
from tds_core.sync.revival import Revival
from tests.integration.image_road import BUCKET, ImageRoad, bucket
from tests.integration.road import Connect, Queued, Waker, document, message, record, row
from tests.pictures import ERROR, HTML, REFUSED, encoded, halves, noise
from tests.zoho_fakes import error

RED = encoded(Image.new("RGB", (50, 50), (200, 20, 20)), "JPEG")
BLUE = encoded(Image.new("RGB", (50, 50), (20, 20, 200)), "PNG")
KEYS = {"originals/1", "product-images/1.jpg", "product-images/thumb/1.jpg"}


@pytest.fixture
def road(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImageRoad]:
    for name, value in {"DEFAULT_REGION": "eu-central-1", "ACCESS_KEY_ID": "t", "SECRET_ACCESS_KEY": "t"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with bucket() as s3:
        yield ImageRoad(connect, s3)


@pytest.fixture
def stored(road: ImageRoad) -> ImageRoad:
    """Product 1 with its red image, stored."""
    road.serve("1", RED)
    road.list_products(_1="100")
    road.work()
    return road


def test_an_image_is_stored_in_three_forms_and_linked(stored: ImageRoad) -> None:
    held = stored.holding("1")
    assert stored.stored_keys() == KEYS
    assert stored.object("originals/1") == RED
    assert held.image_url == "/product-images/1.jpg" and held.is_settled
    assert held.stored is not None
    assert (held.stored.source_type, held.stored.source_bytes) == ("image/jpeg", len(RED))
    assert (held.stored.width, held.stored.height) == (50, 50)
    assert held.stored.bytes == len(stored.object("product-images/1.jpg"))
    assert stored.waiting() == {}
    head = stored.s3.head_object(Bucket=BUCKET, Key="product-images/1.jpg")
    assert head["ContentType"] == "image/jpeg" and "max-age" in head["CacheControl"]


def test_a_product_requests_its_image_in_its_own_transaction(road: ImageRoad) -> None:
    road.list_products(_1="100", _2="")
    assert road.waiting().keys() == {"1"}
    assert road.waiting()["1"]["priority"] == Priority.IMAGES


def test_a_second_run_makes_no_call(stored: ImageRoad) -> None:
    stored.list_products(_1="100")
    assert stored.waiting() == {}
    images.request(stored.database, ["1"])
    stored.work()
    assert stored.downloads == ["1"]
    assert stored.waiting() == {}


def test_identical_bytes_under_another_document_are_not_stored_again(stored: ImageRoad) -> None:
    before = stored.s3.head_object(Bucket=BUCKET, Key="product-images/1.jpg")["LastModified"]
    stored.s3.delete_object(Bucket=BUCKET, Key="originals/1")
    stored.list_products(_1="101")
    stored.work()
    assert stored.downloads == ["1", "1"]
    assert stored.holding("1").is_settled
    assert "originals/1" not in stored.stored_keys(), "nothing was written"
    assert stored.s3.head_object(Bucket=BUCKET, Key="product-images/1.jpg")["LastModified"] == before


def test_another_image_replaces_the_first(stored: ImageRoad) -> None:
    stored.serve("1", BLUE)
    stored.list_products(_1="101")
    stored.work()
    red, _, blue = Image.open(BytesIO(stored.object("product-images/1.jpg"))).getpixel((25, 25))  # type: ignore[misc]
    assert blue > red
    assert stored.holding("1").is_settled
    assert stored.object("originals/1") == BLUE


NONE = {"the code of what does not exist": error(1002, status=404), "a 404 alone": httpx.Response(404, content=b"")}


@pytest.mark.parametrize("kind", NONE)
def test_an_image_that_is_removed_in_zoho_is_removed_once_zoho_has_none(stored: ImageRoad, kind: str) -> None:
    stored.serve("1", NONE[kind])
    stored.list_products(_1="")
    stored.work()
    held = stored.holding("1")
    assert (held.image_url, held.stored, stored.stored_keys()) == (None, None, set())
    assert stored.downloads == ["1", "1"]
    assert stored.waiting() == {}


def test_a_list_without_images_takes_no_picture_away_that_zoho_still_serves(stored: ImageRoad) -> None:
    stored.list_products(_1="")
    stored.work()
    assert stored.stored_keys() == KEYS and stored.holding("1").image_url == "/product-images/1.jpg"
    waiting = stored.waiting()["1"]
    assert waiting["parked"] and waiting["reason"].startswith("ImageUnlisted") and 3_000 < waiting["wait_s"] <= 3_600
    stored.list_products(_1="100")
    stored.work()
    assert stored.holding("1").is_settled and stored.waiting() == {}
    assert stored.downloads == ["1", "1"], "one question, and none once the list is right again"


def test_where_zoho_contradicts_itself_it_is_asked_half_as_often_each_time(stored: ImageRoad) -> None:
    stored.list_products(_1="")
    waits = []
    for _ in range(12):
        stored.later()
        stored.work()
        stored.work()
        waits.append(round(stored.waiting()["1"]["wait_s"] / 3_600))
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_024]
    assert len(stored.downloads) == 13 and stored.stored_keys() == KEYS
    stored.lack("1")
    stored.later()
    stored.work()
    assert (stored.stored_keys(), stored.waiting()) == (set(), {})


def test_an_endpoint_that_is_not_there_says_nothing_of_an_image(stored: ImageRoad) -> None:
    stored.serve("1", error(5, status=404))
    stored.list_products(_1="")
    stored.work()
    assert stored.stored_keys() == KEYS and stored.waiting()["1"]["reason"].startswith("ZohoRejected")


def test_a_product_that_the_mirror_lost_keeps_its_picture_while_zoho_has_it(stored: ImageRoad) -> None:
    stored.database.execute("DELETE FROM erp.products")
    images.request(stored.database, ["1"], priority=Priority.HEAL, cause="verification")
    stored.work()
    assert stored.stored_keys() == KEYS
    stored.list_products(_1="100")
    stored.work()
    assert stored.holding("1").is_settled and stored.waiting() == {}


@pytest.fixture
def many(road: ImageRoad) -> ImageRoad:
    """Eight products with stored images, more than a day may lose."""
    for product_id in EIGHT:
        road.serve(product_id, RED)
    road.list_products(**{f"_{one}": f"{one}00" for one in EIGHT})
    road.work()
    return road


EIGHT = tuple("12345678")


def left(road: ImageRoad) -> list[str]:
    return sorted(one for one in EIGHT if road.holding(one).stored)


def unlist(many: ImageRoad) -> None:
    """Zoho has none of the pictures any more, and its list says so."""
    many.lack(*EIGHT)
    many.list_products(**dict.fromkeys((f"_{one}" for one in EIGHT), ""))
    many.work()


def test_no_more_pictures_go_in_a_day_than_records_may(many: ImageRoad) -> None:
    unlist(many)
    assert len(left(many)) == 3 == len(many.stored_keys()) / 3
    assert [one["reason"] for one in many.waiting().values()] == [
        "DeletionUnconfirmed: 5 of 8 images went within 24 hours, the limit is 5: tds deletions"
    ] * 3
    calls = len(many.downloads)
    many.later()
    many.work()
    assert len(many.downloads) == calls, "what may not go is not asked for"
    many.database.execute("UPDATE tds.change_log SET at = at - interval '25 hours'")
    many.later()
    many.work()
    assert (left(many), many.waiting()) == ([], {})


def test_pictures_that_are_held_back_are_listed_and_go_when_a_person_approves_it(many: ImageRoad) -> None:
    unlist(many)
    assert [one["id"] for one in deletions.withheld(many.database)] == left(many)
    assert deletions.approve(many.database, images.ENTITY, by="somebody") == 3
    many.work()
    assert (left(many), many.waiting()) == ([], {})


def test_pictures_that_are_approved_twice_may_go_once(many: ImageRoad) -> None:
    unlist(many)
    many.database.execute("DELETE FROM tds.backlog WHERE id <> %s", (left(many)[0],))
    for _ in range(2):
        assert deletions.approve(many.database, images.ENTITY, by="somebody") == 1
    many.work()
    with many.database.transaction() as connection:
        backlog.request(connection, images.ENTITY, left(many), priority=Priority.IMAGES, cause="test")
    many.work()
    assert len(left(many)) == 2


def test_the_pictures_of_deleted_products_go_without_a_call_and_use_nothing_up(many: ImageRoad) -> None:
    many.lack(*EIGHT)
    many.database.execute("UPDATE erp.products SET deleted_at = now() WHERE product_id < '7'")
    many.work()
    assert left(many) == ["7", "8"] and len(many.downloads) == 8
    many.list_products(_7="", _8="8")
    many.work()
    assert left(many) == ["8"]


def test_a_deleted_products_image_goes_and_comes_back_with_it(stored: ImageRoad) -> None:
    stored.database.execute("UPDATE erp.products SET deleted_at = now() WHERE product_id = '1'")
    stored.work()
    assert stored.stored_keys() == set() and stored.holding("1").stored is None
    stored.database.execute("UPDATE erp.products SET deleted_at = NULL WHERE product_id = '1'")
    stored.work()
    assert stored.stored_keys() == KEYS and stored.holding("1").is_settled


ANSWERS = {
    "json with an error": (httpx.Response(401, content=ERROR), "ScopeMissing"),
    "json with an error under 200": (
        httpx.Response(200, content=b'{"code": 1038, "message": "no"}', headers={"Content-Type": "image/jpeg"}),
        "ZohoRejected",
    ),
    "json without an error": (httpx.Response(200, json={"code": 0, "message": "success"}), "InvalidImage: JSON"),
    "html": (httpx.Response(200, content=HTML, headers={"Content-Type": "image/png"}), "InvalidImage: HTML"),
    "html of an outage": (httpx.Response(503, content=HTML), "ZohoUnavailable"),
    "nothing": (httpx.Response(200, content=b""), "InvalidImage: an empty answer"),
    "no image": (error(1002, status=404), "DocumentNotFound"),
    "too much": (httpx.Response(200, content=b"\xff\xd8\xff" + bytes(21 * 2**20)), "InvalidImage: an answer of more"),
    "a cut picture": (httpx.Response(200, content=encoded(noise((90, 90)), "PNG")[:9000]), "InvalidImage: a PNG"),
    "a bomb": (httpx.Response(200, content=REFUSED["png that is a bomb"][0]()), "InvalidImage: a PNG"),
    "another format": (httpx.Response(200, content=REFUSED["tiff"][0]()), "InvalidImage: a file that is no JPEG"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_error_is_never_stored_and_the_previous_image_stays(stored: ImageRoad, kind: str) -> None:
    answer, reason = ANSWERS[kind]
    before = {key: stored.object(key) for key in KEYS}
    stored.serve("1", answer)
    stored.list_products(_1="101")
    stored.work()
    assert {key: stored.object(key) for key in stored.stored_keys()} == before
    held = stored.holding("1")
    assert held.image_url == "/product-images/1.jpg" and held.stored and held.stored.image_document_id == "100"
    waiting = stored.waiting()["1"]
    assert waiting["reason"].startswith(reason) and waiting["attempts"] == 1 and waiting["wait_s"] > 30


def test_after_its_attempts_an_image_is_parked_with_its_reason_and_comes_right_when_asked_for(road: ImageRoad) -> None:
    road.serve("1", HTML)
    road.list_products(_1="100")
    for _ in range(6):
        road.later()
        road.work()
    assert road.waiting()["1"]["parked"] is True
    assert "HTML" in road.waiting()["1"]["reason"]
    assert road.stored_keys() == set() and road.holding("1").image_url is None
    road.serve("1", RED)
    images.request(road.database, ["1"])
    road.work()
    assert road.holding("1").is_settled and road.waiting() == {}


def test_a_parked_image_is_brought_back_like_any_dead_thing(road: ImageRoad) -> None:
    road.serve("1", HTML)
    road.list_products(_1="100")
    for _ in range(6):
        road.later()
        road.work()
    waker = Waker()
    revival = Revival(road.settings, sqs=None, storage=None, database=road.database, starter=waker)  # type: ignore[arg-type]
    place = ParkedPlace(database=road.database, revive=revival.parked)
    (thing,) = place.look(10)
    assert place.settle([thing.id], "redrive", lambda *_: None) == {thing.id: None}
    road.serve("1", RED)
    road.work()
    assert road.holding("1").is_settled and waker.wakes == 1


def test_product_syncs_replays_and_walks_never_touch_the_link(stored: ImageRoad) -> None:
    queued = Queued("products", stored.database)
    replay = record(message("products", document("products", "1", image_url="https://elsewhere/1.jpg")))
    for _ in range(2):
        queued.handle(replay)
    changed = row(
        "products", "1", image_document_id="100", name="renamed", last_modified_time="2026-05-01T09:00:00+0300"
    )
    stored.zoho.listing("products", [changed | {"image_url": ""}])
    stored.zoho.put("products", document("products", "1", name="renamed", image_url=""))
    stored.database.execute("UPDATE tds.cursors SET walk_requested_at = now()")
    stored.road.walk.run(lambda: 30.0)
    stored.road.work()
    stored.road.poll.run(force=True)
    assert stored.database.execute("SELECT name, image_url FROM erp.products") == [("renamed", "/product-images/1.jpg")]
    assert stored.downloads == ["1"]


def test_no_other_address_can_be_linked(stored: ImageRoad) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        stored.database.execute("UPDATE erp.products SET image_url = '/product-images/2.jpg'")


def test_a_message_whose_lease_is_gone_does_nothing(road: ImageRoad) -> None:
    road.serve("1", RED)
    road.list_products(_1="100")
    road.feed.run()
    late = list(road.outbox.messages)
    road.deliver()
    road.outbox.messages = late
    road.list_products(_1="101")
    assert road.deliver() == []
    assert road.downloads == ["1"] and road.waiting().keys() == {"1"}


def test_a_lease_that_ran_out_counts_as_an_attempt_and_is_sent_again(road: ImageRoad) -> None:
    road.serve("1", RED)
    road.serve("2", RED)
    road.list_products(_1="100", _2="200")
    road.feed.run()
    road.outbox.messages.clear()
    assert road.feed.run() == 0, "it is on its way"
    road.database.execute(
        "UPDATE tds.backlog SET leased_until = now() - interval '1 s' WHERE entity = 'product_images'"
    )
    assert road.feed.run() == 0
    waits = [one["wait_s"] for one in road.waiting().values()]
    assert [one["attempts"] for one in road.waiting().values()] == [1, 1]
    assert abs(waits[0] - waits[1]) > 30, "each alone, so that one cannot take the other with it again"
    road.later()
    road.work()
    assert road.waiting() == {}


def test_what_cannot_be_sent_is_due_again(road: ImageRoad) -> None:
    road.list_products(**{f"_{number}": "100" for number in range(10, 35)})
    road.outbox.stores = 1
    assert road.feed.run() == 0
    assert sum(one["held"] for one in road.waiting().values()) == 10
    road.outbox.stores = None
    assert road.feed.run() == 15


def test_no_more_is_sent_than_two_minutes_of_calls(road: ImageRoad) -> None:
    road.list_products(**{f"_{number}": "100" for number in range(1000, 1130)})
    assert road.feed.run() == 100
    assert len(road.outbox.messages) == 10
    assert road.feed.run() == 0


def test_an_image_that_changes_while_it_is_fetched_is_fetched_again(road: ImageRoad) -> None:
    def change(request: httpx.Request) -> httpx.Response:
        road.database.execute("UPDATE erp.products SET image_document_id = '101' WHERE product_id = '1'")
        return httpx.Response(200, content=RED)

    road.list_products(_1="100")
    road.zoho.answer("/items/1/image", change)
    road.work()
    assert road.waiting().keys() == {"1"} and not road.holding("1").is_settled
    road.serve("1", BLUE)
    road.work()
    assert road.holding("1").is_settled and road.object("originals/1") == BLUE


def test_a_change_that_began_before_the_fetch_and_is_committed_after_it_is_not_lost(
    road: ImageRoad, conninfo: str
) -> None:
    road.list_products(_1="100")
    with psycopg.connect(conninfo) as other:
        other.execute("SELECT now()")  # its requests bear this time

        def change(request: httpx.Request) -> httpx.Response:
            other.execute("UPDATE erp.products SET image_document_id = '101' WHERE product_id = '1'")
            other.commit()
            return httpx.Response(200, content=RED)

        road.zoho.answer("/items/1/image", change)
        road.work()
    assert road.waiting().keys() == {"1"}
    road.serve("1", BLUE)
    road.work()
    assert road.holding("1").is_settled and road.object("originals/1") == BLUE


def test_a_used_up_budget_counts_no_attempt(road: ImageRoad) -> None:
    road.list_products(_1="100")
    road.zoho.answer("/items/1/image", error(45, status=429))
    road.work()
    waiting = road.waiting()["1"]
    assert waiting["attempts"] == 0 and waiting["wait_s"] > 60 and not waiting["held"]


def test_what_is_not_begun_in_time_goes_back_untried(road: ImageRoad) -> None:
    road.list_products(_1="100")
    road.work(remaining_s=5.0)
    assert road.downloads == []
    assert road.waiting()["1"]["attempts"] == 0 and road.waiting()["1"]["wait_s"] <= 0
    road.serve("1", RED)
    road.work()
    assert road.holding("1").is_settled


def test_a_bucket_that_fails_leaves_no_link(road: ImageRoad, monkeypatch: pytest.MonkeyPatch) -> None:
    road.serve("1", RED)
    road.list_products(_1="100")

    def refuse(*_: Any, **__: Any) -> None:
        raise QueueUnavailable("object not stored: SlowDown")

    with monkeypatch.context() as patch:
        patch.setattr(road.store, "keep", refuse)
        road.work()
    assert road.holding("1").image_url is None
    assert road.waiting()["1"]["reason"] == "QueueUnavailable: object not stored: SlowDown"
    road.later()
    road.work()
    assert road.holding("1").is_settled


def test_a_database_that_is_away_sends_the_message_back(road: ImageRoad, monkeypatch: pytest.MonkeyPatch) -> None:
    road.serve("1", RED)
    road.list_products(_1="100")
    road.feed.run()
    with monkeypatch.context() as patch:
        patch.setattr(road.database, "_conninfo", lambda: "host=127.0.0.1 port=1")
        road.database.close()
        sent = list(road.outbox.messages)
        assert len(road.deliver()) == 1
        assert len(road.queue.postponed) == 1
    road.outbox.messages = sent
    assert road.deliver() == []
    assert road.holding("1").is_settled


@pytest.mark.parametrize("body", ["", "{}", '{"schema": 1, "entity": "product_images", "ids": ["../x"], "lease": "x"}'])
def test_an_unreadable_message_is_dead_lettered_with_its_reason(road: ImageRoad, body: str) -> None:
    assert road.sync.handle({"Records": [record(body)]}, lambda: 100.0) == {"batchItemFailures": []}
    ((_, attributes),) = road.queue.buried
    assert attributes["reason"].startswith("Invalid") and attributes["entity"] == "product_images"


def test_an_unreadable_message_that_cannot_be_buried_goes_back(road: ImageRoad) -> None:
    road.queue.broken = True
    assert len(road.sync.handle({"Records": [record("")]}, lambda: 100.0)["batchItemFailures"]) == 1


def test_healing_fetches_in_any_case(stored: ImageRoad) -> None:
    stored.s3.delete_object(Bucket=BUCKET, Key="product-images/1.jpg")
    images.request(stored.database, ["1"], priority=Priority.HEAL, cause="verification")
    stored.work()
    assert stored.stored_keys() == KEYS


def test_there_is_a_placeholder_after_the_first_image_and_it_is_written_once(stored: ImageRoad) -> None:
    first = stored.s3.head_object(Bucket=BUCKET, Key=image_store.PLACEHOLDER)
    assert first["ContentType"] == "image/jpeg"
    stored.s3.put_object(Bucket=BUCKET, Key=image_store.PLACEHOLDER, Body=b"x", Metadata=first["Metadata"])
    images.request(stored.database, ["1"])
    stored.sync = stored.new_function()
    stored.work()
    assert stored.object(image_store.PLACEHOLDER) == b"x"


def test_a_deploy_stores_the_placeholder_before_any_image(road: ImageRoad) -> None:
    sent: list[tuple[str, bytes]] = []
    resource = CustomResource(road.sync.keep_placeholder, name="tds-placeholder", send=lambda *told: sent.append(told))
    event = {"RequestType": "Create", "ResponseURL": "https://x", "StackId": "s", "RequestId": "r"}
    resource.handle(event | {"LogicalResourceId": "ImagePlaceholder"})
    assert json.loads(sent[0][1])["Status"] == "SUCCESS"
    Image.open(BytesIO(road.object(image_store.PLACEHOLDER))).load()
    assert resource.handle({"RequestType": "Delete"})["Status"] == "SUCCESS"
    assert road.object(image_store.PLACEHOLDER), "what is served stays"


def test_the_edge_is_told_of_replaced_and_removed_images_only(
    stored: ImageRoad, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(stored.store, "invalidate", told.append)
    stored.serve("1", BLUE)
    stored.serve("2", RED)
    stored.list_products(_1="101", _2="200")
    stored.work()
    stored.lack("2")
    stored.list_products(_1="101", _2="")
    stored.work()
    assert told == [["1"], ["2"]]


def test_the_change_log_tells_an_images_story(stored: ImageRoad) -> None:
    stored.serve("1", HTML)
    stored.list_products(_1="101")
    stored.work()
    assert stored.road.outcome("product_images", "1") == ["created", "rejected"]


def test_a_message_travels_as_it_was_meant(road: ImageRoad) -> None:
    road.list_products(_1="100")
    road.feed.run()
    (body,) = road.outbox.messages
    held = image_feed.parse(body)
    assert (list(held.ids), held.priority) == (["1"], Priority.IMAGES)
    assert json.loads(body)["op"] == "request"


def test_a_picture_of_both_halves_keeps_its_sides(road: ImageRoad) -> None:
    road.serve("1", encoded(halves(size=(3_000, 1_000)), "PNG"))
    road.list_products(_1="100")
    road.work()
    thumbnail = Image.open(BytesIO(road.object("product-images/thumb/1.jpg")))
    assert thumbnail.size == (320, 107)
