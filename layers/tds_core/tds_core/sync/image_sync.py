"""Bring the stored images to what Zoho shows: fetch what is new, skip what is not, take away what is gone.

What there is to do follows from the database alone, whatever the message was sent for: the live product's image in
Zoho, against the image that is stored. The bucket is written first and the row last, so a killed function leaves an id
on the backlog and never a link to nothing. What fails keeps the picture that was there and goes back to the backlog
with its reason.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

from tds_core.database import backlog, images
from tds_core.database.backlog import Lease
from tds_core.database.connection import Database
from tds_core.database.images import ENTITY, Holding, Stored
from tds_core.errors import (
    DatabaseUnavailable,
    ImageUnlisted,
    PermanentError,
    PermitDenied,
    RetriableError,
    TdsError,
    TokenUnavailable,
    ZohoThrottled,
)
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync import image_feed
from tds_core.sync.image_removal import RemovalGuard
from tds_core.sync.image_store import ImageStore
from tds_core.sync.images import LIMIT_BYTES, Picture, digest, placeholder, render
from tds_core.zoho.client import UnifiedZohoClient

_log = logging.getLogger(__name__)
_TAIL_S = 50.0  # one call may take its whole deadline
_PERMIT_WAIT_S = 20.0
_TOKEN_WAIT_S = 60.0
_DOUBT_S = 3_600.0  # where Zoho contradicts itself it is soon right, or never without a person
_WORKERS = 4


class Queue(Protocol):
    """What is done with messages that come to no end here."""

    def postpone(self, record: Mapping[str, Any]) -> None:
        """Hide a message for a while."""

    def bury(self, record: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """Move a message to the dead letters; raises QueueUnavailable."""


class ImageSync:
    """Works off the queue of product images: many downloads at a time, but one picture is decoded at a time."""

    def __init__(
        self, settings: Settings, *, database: Database, client: UnifiedZohoClient, store: ImageStore, queue: Queue
    ) -> None:
        self._workers = min(settings.in_flight_limit, _WORKERS)
        self._backoff_s = settings.backoff_base_s
        self._database = database
        self._client = client
        self._store = store
        self._queue = queue
        self._guard = RemovalGuard(settings, database=database, client=client)
        self._decoder = threading.Lock()
        self._is_prepared = False

    def handle(self, event: Mapping[str, Any], remaining_s: Callable[[], float]) -> dict[str, list[dict[str, str]]]:
        """Process an SQS event; returns the messages that SQS shall deliver again.

        Those are the ones that met no database. What is not begun when the time is up goes back to the backlog.
        """
        failed = [record for record in event["Records"] if not self._is_done(record, remaining_s)]
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}

    def _is_done(self, record: Mapping[str, Any], remaining_s: Callable[[], float]) -> bool:
        try:
            try:
                self._work(image_feed.parse(record["body"]), remaining_s)
            except PermanentError as exc:
                _log.error("message dead-lettered", extra={"entity": ENTITY, "reason": exc.reason})
                self._queue.bury(record, {"reason": f"{exc.reason}: {exc}", "entity": ENTITY})
        except RetriableError as exc:
            _log.warning("message postponed", extra={"entity": ENTITY, "reason": exc.reason})
            self._queue.postpone(record)
            return False
        return True

    def _work(self, held: Lease, remaining_s: Callable[[], float]) -> None:
        """Work off what of the lease is still its own."""
        ids = backlog.still_held(self._database, held)
        outcomes: Counter[str] = Counter()
        replaced: list[str] = []

        def work(product_id: str) -> None:
            outcome, is_replaced = self._bring_up(held, product_id, remaining_s)
            outcomes[outcome] += 1
            if is_replaced:
                replaced.append(product_id)

        try:
            if ids:
                self._prepare()
            with ThreadPoolExecutor(self._workers) as pool:
                list(pool.map(work, ids))
        finally:
            self._store.invalidate(replaced)
            _log.info("batch applied", extra={"entity": ENTITY, "ids": len(ids), "outcomes": dict(outcomes)})

    def keep_placeholder(self) -> str:
        """See to it that the picture is there that is served where there is none; says that it is."""
        image = placeholder()
        self._store.keep_placeholder(image, sha256=digest(image))
        return "the placeholder is stored"

    def _prepare(self) -> None:
        """Once a start: a bucket that somebody emptied gets its placeholder again."""
        if not self._is_prepared:
            self.keep_placeholder()
            self._is_prepared = True

    def _bring_up(self, held: Lease, product_id: str, remaining_s: Callable[[], float]) -> tuple[str, bool]:
        """One product: the outcome, and whether a picture that the edge may have kept is another one now.

        Raises DatabaseUnavailable.
        """
        if remaining_s() < _TAIL_S:
            return self._give_back(held, product_id, wait_s=0), False
        try:
            before = images.holdings(self._database, [product_id])[product_id]
            return self._settle(held, before, remaining_s), before.stored is not None
        except DatabaseUnavailable:
            raise
        except (PermitDenied, ZohoThrottled, TokenUnavailable) as exc:
            return self._give_back(held, product_id, wait_s=_wait_s(exc)), False
        except TdsError as exc:
            return self._fail(held, product_id, exc), False

    def _settle(self, held: Lease, before: Holding, remaining_s: Callable[[], float]) -> str:
        """Make what is stored what Zoho shows; an errand more urgent than images usually are heals, whatever is stored.

        Raises what a fetch raises, InvalidImage, QueueUnavailable, and why a picture may not be taken away.
        """
        is_forced, stored = held.priority < Priority.IMAGES, before.stored
        wait_s = min(remaining_s() - _TAIL_S, _PERMIT_WAIT_S)
        if not before.wanted:
            with self._guard.removal(before, priority=held.priority, wait_s=wait_s):
                self._store.remove(before.id)
                return self._note(held, before, None, outcome="unchanged" if before.is_empty else "deleted")
        if before.is_stored and not is_forced:
            return self._note(held, before, stored, outcome="unchanged")
        body = self._client.image(before.id, limit_bytes=LIMIT_BYTES, priority=held.priority, permit_wait_s=wait_s).body
        sha256 = digest(body)
        if stored and stored.sha256 == sha256 and not is_forced:
            return self._note(held, before, replace(stored, image_document_id=before.wanted), outcome="unchanged")
        with self._decoder:
            picture = render(body)
        self._store.keep(
            before.id,
            image=picture.jpeg,
            thumbnail=picture.thumbnail,
            original=body,
            original_type=picture.source_type,
        )
        outcome = "updated" if stored else "created"
        return self._note(held, before, _stored(before, picture, body, sha256), outcome=outcome)

    def _note(self, held: Lease, before: Holding, stored: Stored | None, *, outcome: str) -> str:
        images.settle(self._database, held, before, stored, outcome=outcome)
        return outcome

    def _give_back(self, held: Lease, product_id: str, *, wait_s: float) -> str:
        """No attempt is counted: Zoho was not asked, or did not listen."""
        with self._database.transaction() as connection:
            backlog.release(connection, held, [product_id], delay_s=wait_s)
        return "postponed"

    def _fail(self, held: Lease, product_id: str, exc: TdsError) -> str:
        reason = f"{exc.reason}: {exc}"
        _log.warning("image failed", extra={"id": product_id, "reason": reason})
        with self._database.transaction() as connection:
            if isinstance(exc, ImageUnlisted):
                backlog.park(connection, held, [product_id], delay_s=_DOUBT_S, reason=reason)
            else:
                backlog.postpone(connection, held, [product_id], delay_s=self._backoff_s, reason=reason)
            images.tell(connection, product_id, outcome="rejected", reason=reason)
        return "rejected"


def _wait_s(exc: PermitDenied | ZohoThrottled | TokenUnavailable) -> float:
    match exc:
        case PermitDenied():
            return exc.wait_s
        case ZohoThrottled():
            return exc.retry_after_s
    return _TOKEN_WAIT_S


def _stored(before: Holding, picture: Picture, body: bytes, sha256: str) -> Stored:
    return Stored(
        image_document_id=before.wanted,
        sha256=sha256,
        source_type=picture.source_type,
        source_bytes=len(body),
        bytes=len(picture.jpeg),
        thumbnail_bytes=len(picture.thumbnail),
        width=picture.width,
        height=picture.height,
    )
