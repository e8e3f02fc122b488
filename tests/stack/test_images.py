"""Product images through the deployed template: from Zoho's list to the public address, and away again."""

from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from cli.progress import IMAGES
from tests.pictures import HTML, encoded, halves
from tests.stack.running import Stack

ENTITIES = ("products", IMAGES)


@pytest.fixture
def company(stack: Stack) -> Iterator[Stack]:
    """Every product's image is stored, and nothing is under way."""
    walk(stack)
    yield stack
    stack.zoho("DELETE", "/faults")


def walk(stack: Stack) -> None:
    """Read the products list, and wait for every document and image that it shows."""
    stack.deployment.ask("backfill", {"entities": ["products"]})
    stack.follower.until_over(lambda _: None, entities=ENTITIES, scans=("products",))


def product(stack: Stack) -> str:
    """One that has an image."""
    rows = stack.query("SELECT product_id FROM erp.products WHERE image_url IS NOT NULL ORDER BY 1 LIMIT 1")
    return str(rows[0][0])


def give(stack: Stack, product_id: str, body: bytes, *, document: str) -> None:
    """Let the product have this file as its image in Zoho."""
    file = {"content_type": "image/jpeg", "body_base64": b64encode(body).decode()}
    stack.zoho("POST", "/faults", {"kind": "answer", "path": f"/items/{product_id}/image", "times": None, **file})
    stack.edit("products", product_id, {"image_document_id": document}, webhook=False)


def get(stack: Stack, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{stack.state.image_base_url}{path}", headers=headers, timeout=30)


def image_calls(stack: Stack) -> int:
    calls: dict[str, Any] = stack.zoho("GET", "/stats")["calls"]
    return sum(int(count) for path, count in calls.items() if path.endswith("/items/{id}/image"))


def test_every_image_is_stored_linked_and_reachable_for_one_call_each(company: Stack) -> None:
    report = company.deployment.ask("images_verify", {})
    assert report["ok"], report
    assert report["expected"] == report["stored"] == report["linked"] == report["reachable"] > 0
    before = image_calls(company)
    assert company.deployment.ask("images_sync", {}) == {"requested": 0}
    walk(company)
    assert image_calls(company) == before


def test_an_image_is_revalidated_and_its_thumbnail_served(company: Stack) -> None:
    product_id = product(company)
    answer = get(company, f"/product-images/{product_id}.jpg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert "s-maxage" in answer.headers["cache-control"]
    again = get(company, f"/product-images/{product_id}.jpg", **{"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    thumbnail = get(company, f"/product-images/thumb/{product_id}.jpg")
    assert max(Image.open(BytesIO(thumbnail.content)).size) <= 320


def test_the_deploy_stored_the_placeholder(stack: Stack) -> None:
    formation = stack.cloud.client("cloudformation")
    made = formation.describe_stack_resources(StackName=stack.state.stack_name)["StackResources"]
    (placeholder,) = [one for one in made if one["LogicalResourceId"] == "ImagePlaceholder"]
    assert placeholder["PhysicalResourceId"] == "tds-placeholder", "the function's own answer"
    bucket = stack.deployment.output("ImageBucket")
    held = stack.cloud.client("s3").head_object(Bucket=bucket, Key="product-images/placeholder.jpg")
    assert held["ContentType"] == "image/jpeg"


@pytest.mark.parametrize("path", ["/product-images/404.jpg", "/product-images/thumb/404.jpg", "/originals/{id}", "/"])
def test_what_is_no_products_image_is_a_placeholder_with_404(company: Stack, path: str) -> None:
    answer = get(company, path.format(id=product(company)))
    assert (answer.status_code, answer.headers["content-type"]) == (404, "image/jpeg")
    Image.open(BytesIO(answer.content)).load()


def test_an_image_is_replaced_survives_errors_and_goes(company: Stack) -> None:
    product_id = product(company)
    path = f"/product-images/{product_id}.jpg"
    give(company, product_id, encoded(halves(size=(2_000, 1_000)), "PNG"), document="7001")
    walk(company)
    picture = get(company, path).content
    assert Image.open(BytesIO(picture)).size == (1_600, 800)

    company.zoho("DELETE", "/faults")
    give(company, product_id, HTML, document="7002")
    walk(company)
    waiting = company.deployment.ask("images_status", {})
    assert "HTML" in waiting["parked"][product_id]
    assert get(company, path).content == picture

    company.zoho("DELETE", "/faults")
    company.edit("products", product_id, {"image_document_id": ""}, webhook=False)
    walk(company)
    assert get(company, path).status_code == 404
    assert company.row("products", product_id, "image_url") == (None,)
    assert company.deployment.ask("images_verify", {})["ok"]


def test_what_is_lost_in_the_bucket_is_found_and_healed(company: Stack) -> None:
    product_id = product(company)
    bucket = company.deployment.output("ImageBucket")
    company.cloud.client("s3").delete_object(Bucket=bucket, Key=f"product-images/{product_id}.jpg")
    report = company.deployment.ask("images_verify", {"heal": True})
    assert list(report["faults"]) == [product_id] and report["healed"] == 1
    company.follower.until_over(lambda _: None, entities=(IMAGES,), scans=(IMAGES,))
    assert company.deployment.ask("images_verify", {})["ok"]
