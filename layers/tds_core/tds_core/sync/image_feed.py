"""Hand the images that the backlog asks for to the image_sync function, by its queue.

The backlog stays the truth: an id is leased, sent, and leaves the backlog only by what image_sync made of it under that
very lease. A message that is lost, late or delivered twice costs nothing: its lease runs out and the id is sent again,
and image_sync lets be whatever is no longer its own.
"""

import logging
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from tds_core import lossless_json
from tds_core.database import backlog
from tds_core.database.backlog import Lease
from tds_core.database.connection import Database
from tds_core.database.images import ENTITY
from tds_core.errors import InvalidDocument, QueueUnavailable, RetriableError
from tds_core.ids import parse_id
from tds_core.priority import Priority
from tds_core.settings import Settings

LEASE_S = 600.0
_SCHEMA = 1
_IDS_PER_MESSAGE = 10
_MINUTES = 2  # of calls that may be under way: far less than a lease's time
_LOST = "LeaseExpired: image_sync never said what became of it"

_log = logging.getLogger(__name__)


class Sender(Protocol):
    """Puts messages on queues."""

    def send(self, queue_url: str, message: str) -> None:
        """Store one message; raises QueueUnavailable."""


class ImageFeed:
    """Keeps the image_sync function busy, with no more than its calls allow."""

    def __init__(self, settings: Settings, *, database: Database, sender: Sender) -> None:
        self._settings = settings.require("image_queue_url")
        self._database = database
        self._sender = sender

    def run(self) -> int:
        """Send what is due and return how many ids; what cannot be sent now is sent by the next tick."""
        try:
            return self._feed()
        except RetriableError as exc:
            _log.warning("images not sent", extra={"reason": exc.reason})
            return 0

    def _feed(self) -> int:
        self._count_the_lost()
        sent, room = 0, _MINUTES * self._settings.minute_limit - backlog.held_count(self._database, ENTITY)
        while sent < room:
            held = backlog.lease(self._database, sizes={ENTITY: room - sent}, duration_s=LEASE_S)
            if held is None:
                break
            self._send(held)
            sent += len(held.ids)
        return sent

    def _send(self, held: Lease) -> None:
        for start in range(0, len(held.ids), _IDS_PER_MESSAGE):
            try:
                self._sender.send(
                    self._settings.image_queue_url, dump(held, held.ids[start : start + _IDS_PER_MESSAGE])
                )
            except QueueUnavailable:
                with self._database.transaction() as connection:
                    backlog.release(connection, held, held.ids[start:])
                raise

    def _count_the_lost(self) -> None:
        """A picture that kills its function comes to no end by itself: each time counts as an attempt.

        Those of one lease are due at different times again, so that they do not share the fate of one among them.
        """
        with self._database.transaction() as connection:
            for held in backlog.lost(connection, ENTITY):
                for place, product_id in enumerate(held.ids):
                    delay_s = self._settings.backoff_base_s * (1 + place % _IDS_PER_MESSAGE)
                    backlog.postpone(connection, held, [product_id], delay_s=delay_s, reason=_LOST)


def dump(held: Lease, ids: Sequence[str]) -> str:
    """Some ids of a lease as a message."""
    return lossless_json.dumps(
        {
            "schema": _SCHEMA,
            "entity": ENTITY,
            "op": "request",
            "ids": list(ids),
            "lease": str(held.token),
            "priority": int(held.priority),
        }
    )


def parse(body: str) -> Lease:
    """Read such a message; raises InvalidDocument or InvalidId."""
    fields: Any = lossless_json.loads(body)
    try:
        if fields["schema"] != _SCHEMA or fields["entity"] != ENTITY or not isinstance(fields["ids"], list):
            raise InvalidDocument("not a message of this schema")
        return Lease(
            entity=ENTITY,
            ids=[parse_id(value) for value in fields["ids"]],
            token=UUID(fields["lease"]),
            priority=Priority(fields["priority"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise InvalidDocument("not a message of this schema") from exc
