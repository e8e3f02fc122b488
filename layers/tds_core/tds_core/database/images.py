"""Which image each product has in Zoho, which one is stored, and the one place that writes products.image_url."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg import Connection, sql

from tds_core.database import backlog
from tds_core.database.backlog import Lease
from tds_core.database.connection import Database
from tds_core.priority import Priority

ENTITY = "product_images"
_SOURCE = "image_sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What `erp.product_images` says of one stored image.

    `sha256`, `source_type` and `source_bytes` are those of Zoho's file, the others those of the JPEG that is served.
    """

    image_document_id: str
    sha256: str
    source_type: str
    source_bytes: int
    bytes: int
    thumbnail_bytes: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One id at `seen_at`: the live product's image in Zoho ("" for none), what is stored, and the link.

    `is_deleted` says that the product has a tombstone; one that the mirror does not know has none.
    """

    id: str
    seen_at: datetime
    wanted: str
    is_deleted: bool
    stored: Stored | None
    image_url: str | None

    @property
    def is_settled(self) -> bool:
        """Whether what is stored and linked is what Zoho shows."""
        return self.is_stored and self.image_url == (url(self.id) if self.wanted else None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is stored or linked."""
        return self.stored is None and self.image_url is None

    @property
    def is_stored(self) -> bool:
        """Whether the image that Zoho shows is the one that is stored, or there is none on either side."""
        return (self.stored.image_document_id if self.stored else "") == self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An id on the backlog; `reason` says why its last attempt failed."""

    id: str
    is_parked: bool
    attempts: int
    reason: str | None


def url(product_id: str) -> str:
    """Where a product's image is served, without the host."""
    return f"/product-images/{product_id}.jpg"


def holdings(database: Database, ids: Sequence[str] | None = None) -> dict[str, Holding]:
    """These products, or every one that has an image on either side, by id; an unknown id has none on both."""
    rows = database.execute(
        """
        SELECT k.product_id, clock_timestamp(),
            coalesce(CASE WHEN p.deleted_at IS NULL THEN p.image_document_id END, ''), p.deleted_at IS NOT NULL,
            p.image_url,
            i.image_document_id, i.sha256, i.source_type, i.source_bytes, i.bytes, i.thumbnail_bytes, i.width, i.height
        FROM (
            SELECT unnest(%(ids)s::text[])
            UNION SELECT product_id FROM erp.product_images WHERE %(ids)s::text[] IS NULL
            UNION SELECT product_id FROM erp.products WHERE %(ids)s::text[] IS NULL
                AND (image_url IS NOT NULL OR (image_document_id IS NOT NULL AND deleted_at IS NULL))
        ) AS k (product_id)
        LEFT JOIN erp.products AS p USING (product_id) LEFT JOIN erp.product_images AS i USING (product_id)
        """,
        {"ids": None if ids is None else list(ids)},
    )
    names = tuple(Stored.__dataclass_fields__)
    return {
        product_id: Holding(
            id=product_id,
            seen_at=seen_at,
            wanted=wanted,
            is_deleted=is_deleted,
            image_url=image_url,
            stored=Stored(**dict(zip(names, stored, strict=True))) if stored[0] is not None else None,
        )
        for product_id, seen_at, wanted, is_deleted, image_url, *stored in rows
    }


def settle(database: Database, held: Lease, before: Holding, stored: Stored | None, *, outcome: str) -> bool:
    """Write down and link what is stored now, None for nothing, and end the lease, in one transaction.

    Returns False when the product's image became another one since `before`: then it is due again.
    """
    with database.transaction() as connection:
        is_current = _lock(connection, before.id) == before.wanted
        _write(connection, before.id, stored)
        if is_current:
            backlog.finish(connection, held, {before.id: before.seen_at})
        else:
            backlog.release(connection, held, [before.id])
        tell(connection, before.id, outcome=outcome)
        return is_current


def tell(connection: Connection, product_id: str, *, outcome: str, reason: str | None = None) -> None:
    """Add to the image's story in the change log."""
    connection.execute(
        """
        INSERT INTO tds.change_log (entity, id, outcome, kind, source, observed_at, reason)
        VALUES (%s, %s, %s, 'image', %s, now(), %s)
        """,
        (ENTITY, product_id, outcome, _SOURCE, reason),
    )


def request(
    database: Database, ids: Sequence[str], *, priority: Priority = Priority.IMAGES, cause: str = "images"
) -> None:
    """Ask for these images to be looked at: anything above the images' own priority has them fetched in any case."""
    if ids:
        with database.transaction() as connection:
            backlog.request(connection, ENTITY, ids, priority=priority, cause=cause)


def live(database: Database, ids: Sequence[str]) -> set[str]:
    """Those of these ids that are live products."""
    query = "SELECT product_id FROM erp.products WHERE product_id = ANY(%s) AND deleted_at IS NULL"
    return {product_id for (product_id,) in database.execute(query, (list(ids),))}


def lost(database: Database) -> tuple[int, int]:
    """How many pictures went within a day, those of deleted products apart, and how many are stored."""
    rows = database.execute(
        """
        SELECT (
            SELECT count(DISTINCT c.id) FROM tds.change_log AS c LEFT JOIN erp.products AS p ON p.product_id = c.id
            WHERE c.source = %s AND c.at > now() - interval '24 hours' AND c.entity = %s AND c.outcome = 'deleted'
                AND p.deleted_at IS NULL
        ), (SELECT count(*) FROM erp.product_images)
        """,
        (_SOURCE, ENTITY),
    )
    gone, stored = rows[0]
    return gone, stored


def waiting(database: Database) -> dict[str, Waiting]:
    """The ids that wait to be looked at, those that were given up for now included."""
    rows = database.execute(
        "SELECT id, parked_at IS NOT NULL, attempts, reason FROM tds.backlog WHERE entity = %s ORDER BY id", (ENTITY,)
    )
    return {row[0]: Waiting(id=row[0], is_parked=row[1], attempts=row[2], reason=row[3]) for row in rows}


def _lock(connection: Connection, product_id: str) -> str:
    """Hold the product's row, so that its image stays what it is; returns the image of a live product."""
    row = connection.execute(
        """
        SELECT CASE WHEN deleted_at IS NULL THEN image_document_id END FROM erp.products
        WHERE product_id = %s FOR UPDATE
        """,
        (product_id,),
    ).fetchone()
    return (row[0] if row else None) or ""


def _write(connection: Connection, product_id: str, stored: Stored | None) -> None:
    link = url(product_id) if stored else None
    connection.execute(
        "UPDATE erp.products SET image_url = %s WHERE product_id = %s AND image_url IS DISTINCT FROM %s",
        (link, product_id, link),
    )
    if stored is None:
        connection.execute("DELETE FROM erp.product_images WHERE product_id = %s", (product_id,))
        return
    values = asdict(stored)
    names = [sql.Identifier(name) for name in values]
    query = sql.SQL(
        """
        INSERT INTO erp.product_images (product_id, stored_at, {names}) VALUES (%s, now(), {values})
        ON CONFLICT (product_id) DO UPDATE SET (stored_at, {names}) = (now(), {news})
        """
    ).format(
        names=sql.SQL(", ").join(names),
        values=sql.SQL(", ").join([sql.Placeholder()] * len(names)),
        news=sql.SQL(", ").join([sql.SQL("excluded.{}").format(name) for name in names]),
    )
    connection.execute(query, (product_id, *values.values()))


def figures(database: Database) -> dict[str, int]:
    """How many images Zoho shows, and how many of these are stored and linked."""
    wanted = [held for held in holdings(database).values() if held.wanted]
    return {
        "expected": len(wanted),
        "stored": sum(held.is_stored for held in wanted),
        "linked": sum(held.is_settled for held in wanted),
    }
