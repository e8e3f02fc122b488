"""Spoil a mirror on purpose, so that a verification has something to find; for the demo's own database only."""

from collections.abc import Iterator, Mapping
from string import Formatter

import psycopg
from psycopg import sql

from tds_core.entities import REGISTRY
from tds_core.entities.spec import EntitySpec

# what happens to one live record each, and what it must have for that; each befalls the first entity, of those that
# are still whole, whose spec has all that is named
_DAMAGES = (
    # moved
    (
        "UPDATE {child} SET {quantity} = 99999 WHERE {key} = {id}",
        "EXISTS (SELECT FROM {child} AS child WHERE child.{key} = {table}.{key})",
    ),
    # forgotten
    ("UPDATE {table} SET {persons} = NULL WHERE {key} = {id}", "jsonb_array_length({persons}) > 0"),
    # changed
    ("UPDATE {table} SET {amount} = {amount} + 0.01 WHERE {key} = {id}", "{amount} IS NOT NULL"),
    # lost
    ("DELETE FROM {table} WHERE {key} = {id}", "{amount} IS NOT NULL"),
    # deleted by mistake
    ("UPDATE {table} SET deleted_at = now() WHERE {key} = {id}", "{amount} IS NOT NULL"),
    # invented
    ("INSERT INTO {table} ({key}, {amount}) VALUES ('9' || {id}, 1)", "{amount} IS NOT NULL"),
    # edited beneath its document
    ("UPDATE {table} SET {lines} = '[]' WHERE {key} = {id}", "jsonb_array_length({lines}) > 0"),
)


def spoil(dsn: str, *, each: int) -> int:
    """Do each damage to so many records; returns how many are wrong now."""
    wrong = 0
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        for (statement, condition), names in chosen():
            victims = connection.execute(
                sql.SQL(
                    "SELECT {key} FROM {table} WHERE deleted_at IS NULL AND {condition}"
                    # what Zoho has changed just now is in motion, and may differ for that reason; a payment's document
                    # tells of its change before the list does
                    " AND coalesce(greatest(last_modified_time, detail_version), '-infinity') < now() - interval '1 h'"
                    " LIMIT %s"
                ).format(**names, condition=sql.SQL(condition).format(**names)),
                (each,),
            ).fetchall()
            for (victim,) in victims:
                connection.execute(sql.SQL(statement).format(**names, id=sql.Literal(victim)))
                wrong += 1
    return wrong


def chosen() -> Iterator[tuple[tuple[str, str], Mapping[str, sql.Identifier]]]:
    """Each damage with the names of the entity that it befalls, one entity each."""
    whole = {name: _names(spec) for name, spec in REGISTRY.items()}
    for damage in _DAMAGES:
        needed = {name for text in damage for _, name, _, _ in Formatter().parse(text) if name} - {"id"}
        yield damage, whole.pop(next(entity for entity, names in whole.items() if needed <= names.keys()))


def _names(spec: EntitySpec) -> dict[str, sql.Identifier]:
    """What can be damaged of an entity: a child's quantity, and its first JSON list and amount.

    Where balances or stock move without a version the list is one of persons, and no amount is touched: another record
    might explain it.
    """
    names = {"table": sql.Identifier("erp", spec.table), "key": sql.Identifier(spec.key)}
    lists = sorted(spec.json_columns & spec.document_keys)
    moves = spec.walk or spec.refetch
    if lists:
        names["persons" if moves else "lines"] = sql.Identifier(lists[0])
    if spec.totals and not moves:
        names["amount"] = sql.Identifier(spec.totals[0])
    for child in spec.children:
        for column in {*spec.totals} & child.model.model_fields.keys():
            names |= {"child": sql.Identifier("erp", child.table), "quantity": sql.Identifier(column)}
    return names
