"""Recompute a row from its stored document, through the same mapping that wrote it, and say what stands otherwise."""

from collections.abc import Iterator
from typing import Any

from tds_core.database.candidates import Candidate, from_document
from tds_core.database.comparison import VERSION
from tds_core.database.drift import Difference
from tds_core.database.ordering import Clock, Moment
from tds_core.database.stored import Stored
from tds_core.entities.spec import ChildTable, EntitySpec
from tds_core.errors import PermanentError
from tds_core.plain import exact


def expected(spec: EntitySpec, row: Stored) -> Candidate | None:
    """What the stored document says; None where it is not there or cannot be read."""
    if row.zoho is None:
        return None
    moment = Moment(at=row.detail_observed_at, clock=Clock.FETCH)
    try:
        return from_document(spec, row.zoho, moment=moment, source="verification")
    except PermanentError:
        return None


def differences(spec: EntitySpec, row: Stored, said: Candidate | None) -> Iterator[Difference]:
    """Every column, child row, version and hash that is not what the row's own document says.

    A list row that changes a record requests its document. So while that waits to be fetched what the list shows, too,
    is left to the list, and afterwards both are of one state and have one version, where they share it.
    """
    if said is None:
        yield Difference(id=row.id, field="zoho", erp=None, expected="a whole document")
        return
    # what this document cannot tell the list may have told
    theirs = spec.header_columns if row.is_waiting else spec.shared_columns.intersection(said.unreadable)
    for name in sorted(said.columns.keys() - theirs - {VERSION}):
        if row.columns[name] != said.columns[name]:
            yield Difference(id=row.id, field=name, erp=exact(row.columns[name]), expected=exact(said.columns[name]))
    for table in spec.children:
        if table.table in said.children:
            yield from _child_differences(row, table, said.children[table.table])
    # a document that states no version keeps that of the one before it
    listed = row.columns[VERSION] if spec.shares_version and not row.is_waiting else None
    stated = [version for version in (said.observation.version, listed) if said.observation.version and version]
    if wrong := next((version for version in stated if version != row.detail_version), None):
        yield Difference(id=row.id, field="detail_version", erp=exact(row.detail_version), expected=exact(wrong))
    if row.content_hash != said.observation.hash:
        yield Difference(
            id=row.id, field="content_hash", erp=_hex(row.content_hash), expected=_hex(said.observation.hash)
        )


def _child_differences(row: Stored, table: ChildTable, said: list[dict[str, Any]]) -> Iterator[Difference]:
    names = table.model.model_fields
    theirs = {part[table.key]: {name: part.get(name) for name in names} for part in said}
    ours = {part[table.key]: part for part in row.children[table.table]}
    for key in sorted(theirs.keys() | ours.keys()):
        if ours.get(key) != theirs.get(key):
            yield Difference(
                id=row.id, field=f"{table.table}.{key}", erp=exact(ours.get(key)), expected=exact(theirs.get(key))
            )


def _hex(value: bytes | None) -> str | None:
    return bytes(value).hex() if value is not None else None
