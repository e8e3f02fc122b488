"""A mirror in which all is well, as the status page sees it: what a test breaks and heals again."""

from collections.abc import Mapping

from psycopg import sql
from psycopg.types.json import Jsonb

from tds_core.database import watch
from tds_core.database.connection import Database
from tds_core.entities import REGISTRY, scans
from tds_core.sync.signals import QUEUED
from tests.integration.road import Json


def be_well(database: Database) -> None:
    """Every list was read a moment ago, all queues are empty, and a verification found everything equal."""
    database.execute(
        """
        INSERT INTO tds.cursors (scan, polled_at, walked_at, walked_rows)
        SELECT unnest(%s::text[]), now(), now() - interval '5 hours', 0
        ON CONFLICT (scan) DO UPDATE SET polled_at = excluded.polled_at, walked_at = excluded.walked_at
        """,
        (list(scans()),),
    )
    watch.store(database, dict.fromkeys(QUEUED, 0))
    verify(database)


def verify(
    database: Database, *entities: str, images: Json | None = None, parts: Mapping[str, Json] | None = None
) -> int:
    """A verification of these entities, or of all, that ended an hour ago; returns its number.

    `parts` are what its report says otherwise of an entity, by its name, `images` what it says of those.
    """
    names = entities or tuple(REGISTRY)

    def count(name: str) -> int:
        table = sql.Identifier("erp", REGISTRY[name].table)
        return int(database.execute(sql.SQL("SELECT count(*) FROM {}").format(table))[0][0])

    report = {
        "ok": True,
        "entities": {
            name: {
                "zoho": count(name),
                "erp": count(name),
                "missing": 0,
                "extra": 0,
                "mismatched": 0,
                "mismatch_ratio": 0,
                "healed": 0,
            }
            | {"details_pending": 0, "remaining": 0, "totals": [], "unexplained": [], "error": None}
            | (parts or {}).get(name, {})
            for name in names
        },
        "images": images,
    }
    rows = database.execute(
        """
        INSERT INTO tds.verifications (cause, entities, heal, started_at, ended_at, phase, report)
        VALUES ('night', %s, true, now() - interval '2 hours', now() - interval '1 hour', 'report', %s) RETURNING run_id
        """,
        (list(names), Jsonb(report)),
    )
    return int(rows[0][0])


def differ(
    database: Database,
    run_id: int,
    entity: str,
    *ids: str,
    erp: Json | str = "1.00",
    zoho: str = "2.00",
    status: str = "confirmed",
) -> None:
    """Records that were confirmed to differ, or of which that stayed a suspicion."""
    for document_id in ids:
        database.execute(
            """
            INSERT INTO tds.drift (run_id, entity, id, kind, field, erp_value, zoho_value, status)
            VALUES (%s, %s, %s, 'mismatched', 'total', %s, %s, %s)
            """,
            (run_id, entity, document_id, Jsonb(erp), Jsonb(zoho), status),
        )
