"""Whether a picture may be taken away: the list names none, Zoho has none when asked, and not too many went.

A list that shows no images, for want of a right or by a fault, is one answer for every product there is. So of a
product that is not deleted Zoho is asked for the image itself, and what goes within a day has the limit of deletions.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from tds_core.database import deletions, images
from tds_core.database.connection import Database
from tds_core.database.images import ENTITY, Holding
from tds_core.errors import DeletionUnconfirmed, DocumentNotFound, ImageUnlisted, ZohoRejected
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.images import LIMIT_BYTES
from tds_core.zoho.answers import NO_ENDPOINT_CODE
from tds_core.zoho.client import UnifiedZohoClient


class RemovalGuard:
    """Lets pictures be taken away, those of deleted products without a question."""

    def __init__(self, settings: Settings, *, database: Database, client: UnifiedZohoClient) -> None:
        self._floor = settings.deletion_floor
        self._share = settings.deletion_share
        self._database = database
        self._client = client
        self._lock = threading.Lock()

    @contextmanager
    def removal(self, before: Holding, *, priority: Priority, wait_s: float) -> Iterator[None]:
        """What is done within may take this picture away, and is counted one after the other.

        Raises DeletionUnconfirmed when too many went, ImageUnlisted when Zoho has an image, and what a fetch raises.
        """
        if before.is_deleted:
            yield
            return
        self._brake(before)  # first, for a call that decides nothing is wasted
        self._ask(before, priority=priority, wait_s=wait_s)
        with self._lock:
            self._brake(before)
            yield

    def _brake(self, before: Holding) -> None:
        """Refuse when more than a share of the pictures went within a day; a person may approve more."""
        if before.is_empty:
            return
        gone, stored = images.lost(self._database)
        limit = max(self._floor, int((gone + stored) * self._share))
        if gone >= limit:
            limit += deletions.allowed(self._database, ENTITY)
        if gone >= limit:
            raise DeletionUnconfirmed(
                f"{gone} of {gone + stored} images went within 24 hours, the limit is {limit}: tds deletions"
            )

    def _ask(self, before: Holding, *, priority: Priority, wait_s: float) -> None:
        """Hear from Zoho that there is no image; what code its 404 has is documented nowhere."""
        try:
            self._client.image(before.id, limit_bytes=LIMIT_BYTES, priority=priority, permit_wait_s=wait_s)
        except DocumentNotFound:
            return
        except ZohoRejected as exc:
            if exc.status != HTTPStatus.NOT_FOUND or exc.code == NO_ENDPOINT_CODE:
                raise
            return
        raise ImageUnlisted("the products list names no image, but Zoho has one; the picture stays")
