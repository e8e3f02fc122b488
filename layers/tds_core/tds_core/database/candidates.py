"""Turn what Zoho says into candidates for the mirror: list rows, documents, and the word that a record is gone."""

from collections.abc import Mapping
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

    A child table that `children` does not name is left alone: its list was absent from the document.
    """

    id: str
    observation: Observation
    columns: Mapping[str, Any] = field(default_factory=dict)
    zoho: JsonObject | None = None
    children: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    source: str = "drain"
    trace_id: str = ""
    webhook: str = ""

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
    parsed = spec.model.parse(row)
    values = parsed.columns()
    columns = {name: values[name] for name in values.keys() & spec.header_columns}
    observation = Observation(
        kind=Kind.LIST_ROW,
        observed=Moment(at=observed_at, clock=Clock.FETCH),
        version=values.get("last_modified_time"),
        hash=digest(columns),
        comparable=spec.shares_version,
        shared=_shared(spec, columns),
    )
    return Candidate(id=columns[spec.key], observation=observation, columns=columns, source=source)


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
    values = spec.model.parse(document).columns()
    values.pop("last_modified_time", None)
    rows = {table.table: table.rows(document) for table in spec.children}
    children = {table: found for table, found in rows.items() if found is not None}
    observation = Observation(
        kind=Kind.DOCUMENT,
        observed=moment,
        version=_version(spec, document),
        hash=digest({"columns": values, "children": children}, skip=spec.volatile),
        comparable=spec.shares_version,
        shared=_shared(spec, values),
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
    )


def mention(document_id: str, *, moment: Moment, source: str, trace_id: str = "", webhook: str = "") -> Candidate:
    """An id without a document: a deletion, a chosen-field body, a document too large to travel.

    Raises InvalidId.
    """
    observation = Observation(kind=Kind.MENTION, observed=moment)
    return Candidate(
        id=parse_id(document_id), observation=observation, source=source, trace_id=trace_id, webhook=webhook
    )


def gone(document_id: str, *, observed_at: datetime) -> Candidate:
    """Zoho's word, by a detail fetch begun at `observed_at`, that there is no such record."""
    moment = Moment(at=observed_at, clock=Clock.FETCH)
    return Candidate(id=parse_id(document_id), observation=Observation(kind=Kind.GONE, observed=moment))


def _shared(spec: EntitySpec, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: columns[name] for name in columns.keys() & spec.shared_columns}


def _version(spec: EntitySpec, document: JsonObject) -> datetime | None:
    try:
        return parse_instant(document.get(spec.document_version))
    except ValueError as exc:
        raise InvalidDocument(f"{spec.name}: cannot read {spec.document_version}") from exc
