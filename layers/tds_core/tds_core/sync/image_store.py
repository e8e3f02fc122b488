"""Where the pictures lie: one private bucket, of which CloudFront serves what is under `product-images/`."""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from tds_core import aws
from tds_core.errors import QueueUnavailable
from tds_core.settings import Settings

SERVED = "product-images/"
PLACEHOLDER = f"{SERVED}placeholder.jpg"
_JPEG = "image/jpeg"
# a browser asks again after five minutes and mostly hears that nothing changed; the edge keeps it for a day or until
# it is told otherwise
_CACHE = "public, max-age=300, s-maxage=86400"
_KEY = re.compile(rf"{SERVED}(?P<thumbnail>thumb/)?(?P<id>\d{{1,25}})\.jpg")
_PATHS = 100  # each is paid for beyond 1,000 a month, one for all is one
_FAILURES = (BotoCoreError, ClientError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Sizes in bytes of the pictures in the bucket, by product."""

    images: Mapping[str, int]
    thumbnails: Mapping[str, int]


def image_key(product_id: str) -> str:
    """Where a product's picture lies, and its path on the web."""
    return f"{SERVED}{product_id}.jpg"


def thumbnail_key(product_id: str) -> str:
    """Where its thumbnail lies."""
    return f"{SERVED}thumb/{product_id}.jpg"


def original_key(product_id: str) -> str:
    """Where Zoho's own file lies, which nobody serves."""
    return f"originals/{product_id}"


class ImageStore:
    """The bucket and the cache in front of it; every method raises QueueUnavailable when AWS does not do it."""

    def __init__(self, settings: Settings) -> None:
        self._bucket = settings.require("image_bucket").image_bucket
        self._distribution = settings.image_distribution_id
        self._objects = aws.client("s3")
        self._edge = aws.client("cloudfront") if self._distribution else None

    def keep(self, product_id: str, *, image: bytes, thumbnail: bytes, original: bytes, original_type: str) -> None:
        """Store a picture in its three forms, over those that are there; the one that is linked comes last."""
        self._put(original_key(product_id), original, original_type)
        self._put(thumbnail_key(product_id), thumbnail, _JPEG)
        self._put(image_key(product_id), image, _JPEG)

    def remove(self, product_id: str) -> None:
        """Take all three away; what is not there is no error."""
        keys = [{"Key": key(product_id)} for key in (image_key, thumbnail_key, original_key)]

        def delete() -> None:
            answer = self._objects.delete_objects(Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True})
            if answer.get("Errors"):
                raise QueueUnavailable(f"objects not removed: {answer['Errors'][0].get('Code')}")

        _ask("objects not removed", delete)

    def keep_placeholder(self, image: bytes, *, sha256: str) -> None:
        """See to it that there is a picture for products without one, and that it is this one."""
        try:
            held = self._objects.head_object(Bucket=self._bucket, Key=PLACEHOLDER)
            if held["Metadata"].get("sha256") == sha256:
                return
        except _FAILURES:
            pass  # not there yet, which S3 does not tell from forbidden
        self._put(PLACEHOLDER, image, _JPEG, sha256=sha256)

    def invalidate(self, product_ids: Iterable[str]) -> None:
        """Have the edge forget these products' pictures; what fails here is forgotten within a day by itself."""
        paths = [f"/{key(one)}" for one in product_ids for key in (image_key, thumbnail_key)]
        if not paths or self._edge is None:
            return
        if len(paths) > _PATHS:
            paths = [f"/{SERVED}*"]
        batch = {"CallerReference": str(uuid4()), "Paths": {"Quantity": len(paths), "Items": paths}}
        try:
            self._edge.create_invalidation(DistributionId=self._distribution, InvalidationBatch=batch)
        except _FAILURES as exc:
            _log.warning("edge not told", extra={"paths": len(paths), "cause": type(exc).__name__})

    def objects(self) -> Objects:
        """Everything that is served."""
        found: dict[bool, dict[str, int]] = {True: {}, False: {}}

        def read() -> None:
            pages = self._objects.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SERVED)
            for page in pages:
                for entry in page.get("Contents", ()):
                    if match := _KEY.fullmatch(entry["Key"]):
                        found[bool(match["thumbnail"])][match["id"]] = entry["Size"]

        _ask("bucket not listed", read)
        return Objects(images=found[False], thumbnails=found[True])

    def _put(self, key: str, body: bytes, content_type: str, **metadata: str) -> None:
        _ask(
            "object not stored",
            lambda: self._objects.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType=content_type,
                CacheControl=_CACHE,
                Metadata=metadata,
            ),
        )


def _ask(failed: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except _FAILURES as exc:
        raise QueueUnavailable(f"{failed}: {aws.cause(exc)}") from exc
