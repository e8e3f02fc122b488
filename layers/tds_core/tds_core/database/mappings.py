"""Which mapping each entity's rows were written by, and how far they have been written anew after it changed."""

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg.types.json import Jsonb

from tds_core.database.connection import Database
from tds_core.entities.mapping import described
from tds_core.entities.spec import EntitySpec
from tds_core.lossless_json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The mapping of an entity's rows; those up to the key `after` were written anew by the mapping `towards`."""

    mapping: JsonObject
    towards: JsonObject | None
    after: str

    def place(self, mapping: JsonObject) -> str:
        """The key after which a pass to this mapping goes on; from the start if it was on its way to another one."""
        return self.after if self.towards == mapping else ""


def known(database: Database) -> dict[str, Known]:
    """What is known, by entity; an entity that is new is not there."""
    rows = database.execute("SELECT entity, known, towards, after FROM tds.mappings")
    return {name: Known(mapping=mapping, towards=towards, after=after) for name, mapping, towards, after in rows}


def learn(database: Database, spec: EntitySpec) -> None:
    """Note that all rows are by the mapping of this code."""
    database.execute(
        """
        INSERT INTO tds.mappings (entity, known) VALUES (%s, %s)
        ON CONFLICT (entity) DO UPDATE SET known = excluded.known, towards = NULL, after = ''
        """,
        (spec.name, Jsonb(described(spec))),
    )


def advance(database: Database, spec: EntitySpec, *, after: str) -> None:
    """Note that the rows up to this key are by the mapping of this code."""
    query = "UPDATE tds.mappings SET towards = %s, after = %s WHERE entity = %s"
    database.execute(query, (Jsonb(described(spec)), after, spec.name))


def outdated(database: Database, specs: Iterable[EntitySpec]) -> list[str]:
    """Those of the entities of which some rows may still be by another mapping than this code's."""
    before = known(database)
    return [spec.name for spec in specs if spec.name in before and before[spec.name].mapping != described(spec)]
