"""The figures of a verification run: counts and totals of both sides at one moment, and what became of differences."""

from typing import Any

from psycopg import sql

from tds_core.database.connection import Database
from tds_core.entities.spec import EntitySpec

# a suspicion that nobody could confirm is never called equal; a document that was only old never differed
IS_REAL = sql.SQL("(status = 'confirmed' OR status = 'suspected' AND kind <> 'unannounced')")


def counts(database: Database, run_id: int, spec: EntitySpec) -> dict[str, int]:
    """How many records each side showed, and how many of them were in motion."""
    rows = database.execute(
        """
        SELECT count(*) FILTER (WHERE zoho IS NOT NULL), count(*) FILTER (WHERE erp IS NOT NULL),
            count(*) FILTER (WHERE in_motion)
        FROM tds.verification_seen WHERE run_id = %s AND entity = %s
        """,
        (run_id, spec.name),
    )
    return dict(zip(("zoho", "erp", "in_motion"), rows[0], strict=True))


# neither in motion nor suspected: whatever the list shows of such a record is what the mirror holds
_QUIET = sql.SQL(
    """
    NOT s.in_motion AND NOT EXISTS (
        SELECT FROM tds.drift AS d
        WHERE d.run_id = s.run_id AND d.entity = s.entity AND d.id = s.id AND d.kind <> 'unannounced')
    """
)


def totals(database: Database, run_id: int, spec: EntitySpec, *, quiet: bool = False) -> list[dict[str, Any]]:
    """Both sides' sums by currency and status: {"currency", "status", "column", "zoho", "erp"}, exact as text.

    Of all records, or only of the `quiet` ones, whose sums nothing excuses. Where Zoho's list names no currency the
    mirror's counts for both.
    """
    columns = sql.SQL(", ").join(map(sql.Literal, spec.totals))
    query = sql.SQL(
        """
        WITH told AS (
            SELECT coalesce(zoho ->> 'currency', erp ->> 'currency', '') AS zoho_currency,
                coalesce(erp ->> 'currency', '') AS erp_currency,
                coalesce(zoho ->> 'status', erp ->> 'status', '') AS zoho_status,
                coalesce(erp ->> 'status', '') AS erp_status, zoho, erp
            FROM tds.verification_seen AS s WHERE run_id = %s AND entity = %s AND {of}
        ), sides AS (
            SELECT zoho_currency AS currency, zoho_status AS status, zoho AS zoho, NULL::jsonb AS erp FROM told
            WHERE zoho IS NOT NULL
            UNION ALL
            SELECT erp_currency, erp_status, NULL, erp FROM told WHERE erp IS NOT NULL
        )
        SELECT s.currency, s.status, c.name, coalesce(sum((s.zoho ->> c.name)::numeric), 0)::text,
            coalesce(sum((s.erp ->> c.name)::numeric), 0)::text
        FROM sides AS s CROSS JOIN unnest(ARRAY[{columns}]::text[]) AS c (name)
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """
    ).format(columns=columns, of=_QUIET if quiet else sql.SQL("true"))
    names = ("currency", "status", "column", "zoho", "erp")
    return [dict(zip(names, row, strict=True)) for row in database.execute(query, (run_id, spec.name))]


def untold(database: Database, run_id: int, spec: EntitySpec) -> dict[str, int]:
    """How many quiet records' list rows do not tell a column that people rely on and the mirror knows, by column."""
    query = sql.SQL(
        """
        SELECT c.name, count(*) FROM tds.verification_seen AS s CROSS JOIN unnest(%s::text[]) AS c (name)
        WHERE s.run_id = %s AND s.entity = %s AND s.zoho IS NOT NULL AND NOT s.zoho ? c.name
            AND s.erp ->> c.name IS NOT NULL AND {quiet}
        GROUP BY 1 ORDER BY 1
        """
    ).format(quiet=_QUIET)
    return dict(database.execute(query, (sorted({*spec.compared, *spec.totals}), run_id, spec.name)))


def drift(database: Database, run_id: int, spec: EntitySpec) -> dict[str, int]:
    """How many records differed in which way, and how many of them are healed or remain; dismissed ones are apart."""
    query = sql.SQL(
        """
        SELECT count(DISTINCT id) FILTER (WHERE is_real AND kind = 'missing'),
            count(DISTINCT id) FILTER (WHERE is_real AND kind = 'extra'),
            count(DISTINCT id) FILTER (WHERE is_real AND kind IN ('mismatched', 'local', 'unannounced')),
            count(DISTINCT id) FILTER (WHERE is_real AND kind = 'local'),
            count(DISTINCT id) FILTER (WHERE is_real AND kind = 'unannounced'),
            count(DISTINCT id) FILTER (WHERE is_real) - count(DISTINCT id) FILTER (WHERE is_real AND healed_at IS NULL),
            count(DISTINCT id) FILTER (WHERE is_real AND healed_at IS NULL),
            count(DISTINCT id) FILTER (WHERE status = 'dismissed' AND kind <> 'unannounced'),
            count(DISTINCT id) FILTER (WHERE is_real)
        FROM (SELECT *, {} AS is_real FROM tds.drift WHERE run_id = %s AND entity = %s) AS d
        """
    ).format(IS_REAL)
    rows = database.execute(query, (run_id, spec.name))
    names = ("missing", "extra", "mismatched", "local", "unannounced", "healed", "remaining", "dismissed", "differing")
    return dict(zip(names, rows[0], strict=True))


def differences(database: Database, run_id: int, *, after: tuple[str, ...] = (), limit: int = 1_000) -> list[Any]:
    """The run's differences in the order of their keys, dismissed suspicions too, from behind `after` on."""
    names = (
        *("entity", "id", "kind", "field", "status", "erp_value", "zoho_value"),
        *("suspected_at", "healed_at", "how"),
    )
    key = sql.SQL("(entity, id, kind, field)")
    query = sql.SQL(
        "SELECT {names} FROM tds.drift WHERE run_id = %(run)s AND NOT (kind = 'unannounced' AND status = 'dismissed')"
        " {behind} ORDER BY {key} LIMIT %(limit)s"
    ).format(
        names=sql.SQL(", ").join(map(sql.Identifier, names)),
        key=key,
        behind=sql.SQL("AND {} > (%(e)s, %(i)s, %(k)s, %(f)s)").format(key) if after else sql.SQL(""),
    )
    behind = dict(zip("eikf", after, strict=True)) if after else {}
    rows = database.execute(query, {"run": run_id, "limit": limit} | behind)
    return [dict(zip(names, row, strict=True)) for row in rows]


def largest_stock_differences(database: Database, run_id: int, *, units: float, limit: int = 20) -> list[Any]:
    """Confirmed differences of stock beyond so many units: {"id", "field", "erp", "zoho"}, the largest first.

    Of a product as a whole, and of one of its locations.
    """
    rows = database.execute(
        """
        SELECT id, field, erp::text, zoho::text FROM (
            SELECT d.id, v.field, coalesce(erp.to_numeric(v.erp), 0) AS erp, coalesce(erp.to_numeric(v.zoho), 0) AS zoho
            FROM tds.drift AS d CROSS JOIN LATERAL (
                SELECT d.field AS field, d.erp_value #>> '{}' AS erp, d.zoho_value #>> '{}' AS zoho
                WHERE d.field IN ('stock_on_hand', 'available_stock', 'actual_available_stock')
                UNION ALL
                SELECT d.field || '.stock_on_hand', d.erp_value ->> 'stock_on_hand', d.zoho_value ->> 'stock_on_hand'
                WHERE starts_with(d.field, 'stock_levels.')
            ) AS v
            WHERE d.run_id = %s AND d.entity = 'products' AND d.status <> 'dismissed'
        ) AS found
        WHERE abs(erp - zoho) > %s ORDER BY abs(erp - zoho) DESC LIMIT %s
        """,
        (run_id, units, limit),
    )
    return [dict(zip(("id", "field", "erp", "zoho"), row, strict=True)) for row in rows]


def remaining(database: Database, run_id: int, *, limit: int = 20) -> list[Any]:
    """Some of the differences that are not healed: {"entity", "id", "kind", "field", "how"}."""
    query = sql.SQL(
        """
        SELECT entity, id, kind, field, how FROM tds.drift WHERE run_id = %s AND healed_at IS NULL AND {}
        ORDER BY entity, id, kind, field LIMIT %s
        """
    ).format(IS_REAL)
    rows = database.execute(query, (run_id, limit))
    return [dict(zip(("entity", "id", "kind", "field", "how"), row, strict=True)) for row in rows]
