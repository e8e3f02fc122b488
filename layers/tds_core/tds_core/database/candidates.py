"""Turn what Zoho says into candidates for the mirror: list rows, documents, and the word that a record is gone."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tds_core.database.ordering import Clock, Kind, Moment, Observation, Outcome
from tds_core.entities.model import parse_id, parse_instant
from tds_core.entities.spec import EntitySpec
from tds_core.errors import InvalidDocument
from tds_core.lossless_json import JsonObject, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One observation with what there is to write of it.

    A child table that `children` does not name is left alone: its list was absent from the document. `unreadable` are
    the columns, `table.column` in a child table, whose values could not be read and that the record does without.
    """

    id: str
    observation: Observation
    columns: Mapping[str, Any] = field(default_factory=dict)
    zoho: JsonObject | None = None
    children: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    source: str = "drain"
    trace_id: str = ""
    webhook: str = ""
    unreadable: tuple[str, ...] = ()

    def forced(self) -> "Candidate":
        """The same, to be written even if nothing seems to differ."""
        return replace(self, observation=replace(self.observation, force=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one candidate; `wrote` says whether columns of its row were written, or the row buried."""

    candidate: Candidate
    outcome: Outcome
    wrote: bool = False
    lagging: bool = False
    requested: bool = False
    reason: str | None = None


def from_list_row(spec: EntitySpec, row: JsonObject, *, observed_at: datetime, source: str) -> Candidate:
    """A row of a list page whose permit was taken at `observed_at`.

    Raises InvalidDocument.
    """
    reading = spec.model.read(row, needed=spec.needed_columns)
    values, unreadable = reading.columns, reading.unreadable & spec.header_columns
    columns = {name: values[name] for name in values.keys() & spec.header_columns}
    observation = Observation(
        kind=Kind.LIST_ROW,
        observed=Moment(at=observed_at, clock=Clock.FETCH),
        version=values.get("last_modified_time"),
        hash=digest(columns),
        comparable=spec.shares_version,
        shared=_shared(spec, columns, without=unreadable),
    )
    return Candidate(
        id=columns[spec.key],
        observation=observation,
        columns=columns,
        source=source,
        unreadable=tuple(sorted(unreadable)),
    )


def from_document(
    spec: EntitySpec,
    document: JsonObject,
    *,
    moment: Moment,
    source: str,
    trace_id: str = "",
    webhook: str = "",
) -> Candidate:
    """A full document, seen at `moment`; `webhook` is the address that it came by, if it came so.

    Raises InvalidDocument, also for one that lacks `document_keys`: it would wipe what it leaves out.
    """
    if not spec.is_document(document):
        raise InvalidDocument(f"{spec.name}: not a full document")
    reading = spec.model.read(document, needed=spec.needed_columns)
    values = reading.columns
    values.pop("last_modified_time", None)
    read = {table.table: table.read(document) for table in spec.children}
    children = {table: rows for table, (rows, _) in read.items() if rows is not None}
    in_children = (f"{table}.{name}" for table, (_, names) in read.items() for name in names)
    observation = Observation(
        kind=Kind.DOCUMENT,
        observed=moment,
        version=_version(spec, document),
        hash=digest({"columns": values, "children": children}, skip=spec.volatile),
        comparable=spec.shares_version,
        shared=_shared(spec, values, without=reading.unreadable),
    )
    return Candidate(
        id=values[spec.key],
        observation=observation,
        columns=values,
        zoho=document,
        children=children,
        source=source,
        trace_id=trace_id,
        webhook=webhook,
        unreadable=tuple(sorted((*reading.unreadable, *in_children))),
    )


def mention(document_id: str, *, moment: Moment, source: str, trace_id: str = "", webhook: str = "") -> Candidate:
    """An id without a document: a deletion, a chosen-field body, a document too large to travel.

    Raises InvalidId.
    """
    observation = Observation(kind=Kind.MENTION, observed=moment)
    return Candidate(
        id=parse_id(document_id), observation=observation, source=source, trace_id=trace_id, webhook=webhook
    )


def gone(document_id: str, *, observed_at: datetime, evidence: Mapping[str, Any] | None = None) -> Candidate:
    """Zoho's word, by a fetch begun at `observed_at`, that there is no such record; `evidence` is kept with it."""
    observation = Observation(kind=Kind.GONE, observed=Moment(at=observed_at, clock=Clock.FETCH))
    return Candidate(id=parse_id(document_id), observation=observation, evidence=evidence or {"code": 1002})


def _shared(spec: EntitySpec, columns: Mapping[str, Any], *, without: Set[str]) -> dict[str, Any]:
    """What lists and documents may be compared by: the one may show well what nobody can read in the other."""
    return {name: columns[name] for name in columns.keys() & spec.shared_columns - without}


def _version(spec: EntitySpec, document: JsonObject) -> datetime | None:
    try:
        return parse_instant(document.get(spec.document_version))
    except ValueError as exc:
        raise InvalidDocument(f"{spec.name}: cannot read {spec.document_version}") from exc
