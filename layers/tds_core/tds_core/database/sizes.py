"""How much of each entity there is: what a day's calls are reckoned from."""

from dataclasses import dataclass

from psycopg import sql

from tds_core.database.connection import Database
from tds_core.entities.spec import EntitySpec, LookBack, Recent
from tds_core.priority import Priority

_CHANGED_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One entity's live `rows`; those that a look-back reads, that are refetched, that change a day; what waits.

    `history` are the requests of whole lists on the backlog, without those that were given up for now.
    """

    rows: int
    looked_back: int = 0
    refetched: int = 0
    changed_a_day: float = 0.0
    history: int = 0


def read(database: Database, spec: EntitySpec) -> Size:
    """Count it in the mirror; costs no call."""
    query = sql.SQL(
        """
        SELECT count(*), count(*) FILTER (WHERE {looked_back}), count(*) FILTER (WHERE {refetched}),
            count(*) FILTER (WHERE m.last_modified_time > now() - make_interval(days => {days})),
            (SELECT count(*) FROM tds.backlog WHERE entity = {name} AND priority = {backfill} AND parked_at IS NULL)
        FROM {mirror} AS m WHERE m.deleted_at IS NULL
        """
    ).format(
        looked_back=_since(spec, spec.changes if isinstance(spec.changes, LookBack) else None),
        refetched=_since(spec, spec.refetch_only),
        days=_CHANGED_DAYS,
        name=spec.name,
        backfill=int(Priority.BACKFILL),
        mirror=sql.Identifier("erp", spec.table),
    )
    rows, looked_back, refetched, changed, history = database.execute(query)[0]
    return Size(
        rows=rows,
        looked_back=looked_back,
        refetched=refetched,
        changed_a_day=changed / _CHANGED_DAYS,
        history=history,
    )


def _since(spec: EntitySpec, recent: LookBack | Recent | None) -> sql.Composable:
    if recent is None:
        return sql.SQL("true")
    fields = spec.model.model_fields
    # a look-back names Zoho's key, and what is refetched the mirror's column
    column = next(name for name in fields if recent.date_column in (name, fields[name].alias))
    return sql.SQL("m.{} >= current_date - {}").format(sql.Identifier(column), recent.days)
