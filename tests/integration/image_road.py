"""The road of an image in one process: a products list, the feed, image_sync, a bucket of moto."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
import httpx
from moto import mock_aws

from tds_core.database import images
from tds_core.database.images import ENTITY, Holding
from tds_core.errors import QueueUnavailable
from tds_core.sync.image_feed import ImageFeed
from tds_core.sync.image_store import ImageStore
from tds_core.sync.image_sync import ImageSync
from tests.integration.road import Connect, MemoryQueue, Road, Zoho, record, row
from tests.zoho_fakes import error

BUCKET = "images"
LONG_S = 100.0
Json = dict[str, Any]


@dataclass
class Outbox:
    """What the feed sent; a broken one stores nothing after `stores` messages."""

    messages: list[str] = field(default_factory=list)
    stores: int | None = None

    def send(self, queue_url: str, message: str) -> None:
        if self.stores is not None and len(self.messages) >= self.stores:
            raise QueueUnavailable("broken")
        self.messages.append(message)


class ImageRoad:
    """Products with images in Zoho, and everything that stores them."""

    def __init__(self, connect: Connect, s3: Any) -> None:
        self.zoho, self.s3 = Zoho(), s3
        self.road = Road(connect, self.zoho.http, backoff_base_s=60.0)
        self.settings = replace(self.road.settings, image_bucket=BUCKET, image_queue_url="queue", minute_limit=50)
        self.database = self.road.database
        self.outbox, self.queue = Outbox(), MemoryQueue()
        self.store = ImageStore(self.settings)
        self.feed = ImageFeed(self.settings, database=self.database, sender=self.outbox)
        self.sync = self.new_function()

    def new_function(self) -> ImageSync:
        return ImageSync(
            self.settings, database=self.database, client=self.road.client, store=self.store, queue=self.queue
        )

    def list_products(self, **documents: str) -> None:
        """Let Zoho's list show products with these image documents, "" for none, and walk it."""
        rows = [row("products", name.strip("_"), image_document_id=image) for name, image in documents.items()]
        self.zoho.listing("products", rows)
        self.database.execute(
            "INSERT INTO tds.cursors (scan, walk_requested_at) VALUES ('products', now()) "
            "ON CONFLICT (scan) DO UPDATE SET walk_requested_at = now()"
        )
        self.road.walk.run(lambda: 30.0)

    def serve(self, product_id: str, answer: bytes | httpx.Response) -> None:
        """Let Zoho answer so for an item's image."""
        if isinstance(answer, bytes):
            answer = httpx.Response(200, content=answer, headers={"Content-Type": "image/jpeg"})
        self.zoho.answer(f"/items/{product_id}/image", answer)

    def lack(self, *product_ids: str) -> None:
        """Let Zoho say that these items have no image."""
        for product_id in product_ids:
            self.serve(product_id, error(1002, status=404))

    def work(self, *, remaining_s: float = LONG_S) -> None:
        """Feed what is due and have all of it worked off."""
        self.feed.run()
        self.deliver(remaining_s=remaining_s)

    def deliver(self, *, remaining_s: float = LONG_S) -> list[str]:
        """Hand over every message sent; returns those that go back."""
        records = [record(message) for message in self.outbox.messages]
        self.outbox.messages.clear()
        answered = self.sync.handle({"Records": records}, lambda: remaining_s)
        return [item["itemIdentifier"] for item in answered["batchItemFailures"]]

    def later(self) -> None:
        """Let the waits of the backlog pass."""
        self.road.hurry()

    @property
    def downloads(self) -> list[str]:
        """The products whose images were asked for, in turn."""
        return [path.split("/")[2] for path in self.zoho.paths("/items/") if path.endswith("/image")]

    def holding(self, product_id: str) -> Holding:
        return images.holdings(self.database, [product_id])[product_id]

    def waiting(self) -> dict[str, Json]:
        return self.road.backlog(ENTITY)

    def stored_keys(self) -> set[str]:
        """What lies in the bucket, but for the placeholder."""
        entries = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {entry["Key"] for entry in entries} - {"product-images/placeholder.jpg"}

    def object(self, key: str) -> bytes:
        return bytes(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


@contextmanager
def bucket() -> Iterator[Any]:
    """An empty bucket; what is asked of other hosts is not mocked."""
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield client
