"""Fetch documents and say what each call brought; nothing is written here."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain

from tds_core.database.candidates import Candidate, from_document, gone
from tds_core.database.ordering import Clock, Moment
from tds_core.entities import scans
from tds_core.entities.spec import BulkDetail, EntitySpec
from tds_core.errors import DocumentNotFound, InvalidDocument, InvalidId, TdsError, ZohoRejected, foreseen
from tds_core.ids import parse_id
from tds_core.lossless_json import JsonObject
from tds_core.priority import Priority
from tds_core.sync.deletion import DeletionGuard
from tds_core.zoho.answers import NO_ENDPOINT_CODE
from tds_core.zoho.client import Fetched, ListPage, UnifiedZohoClient

_SMALLEST_GROUP = 4  # what is refused so small is asked for one by one
_HOPELESS_CALLS = 20  # refused, and none taken: then Zoho takes no group at all
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What became of one id: a candidate, another entity that it belongs to, or an error.

    A record that belongs elsewhere and has a row here still brings both: this row is gone, and its entity is told.
    """

    id: str
    began_at: datetime = _NEVER
    candidate: Candidate | None = None
    belongs_to: str = ""
    error: TdsError | None = None


class Fetcher:
    """Fetches documents for the drain; safe to use from many threads."""

    def __init__(self, client: UnifiedZohoClient, guard: DeletionGuard) -> None:
        self._client = client
        self._guard = guard
        # how many ids Zoho takes at once, where it turned out to be fewer than the entity's spec says
        self._sizes: dict[str, int] = {}

    @property
    def calls(self) -> int:
        """How many calls were made to Zoho since the function's start."""
        return self._client.calls

    def fetch(
        self, spec: EntitySpec, ids: Sequence[str], priority: Priority, wait_s: Callable[[], float]
    ) -> list[Fetch]:
        """Fetch ids of one entity, in bulk where Zoho can; what a bulk answer lacks is asked for singly.

        Never raises: an error becomes that of the ids concerned.
        """
        try:
            return self._fetch(spec, ids, priority, wait_s)
        except Exception as exc:  # whatever it is, it must not cost the other ids their fetches
            return [Fetch(id=document_id, error=foreseen(exc)) for document_id in ids]

    def _fetch(
        self, spec: EntitySpec, ids: Sequence[str], priority: Priority, wait_s: Callable[[], float]
    ) -> list[Fetch]:
        if spec.rows_are_documents:
            return self._fetch_listed(spec, ids, priority, wait_s)
        missing = list(ids)
        fetches: list[Fetch] = []
        if spec.bulk is not None:
            fetched, failed = self._fetch_together(spec, spec.bulk, ids, priority, wait_s)
            fetches = [
                self._read(spec, parse_id(spec.id_of(one.document)), one.document, one.observed_at) for one in fetched
            ]
            fetches += [Fetch(id=document_id, error=exc) for document_id, exc in failed.items()]
            missing = sorted(set(ids) - {fetch.id for fetch in fetches})
        return fetches + [self._fetch_one(spec, document_id, priority, wait_s) for document_id in missing]

    def _fetch_together(
        self,
        spec: EntitySpec,
        bulk: BulkDetail,
        ids: Sequence[str],
        priority: Priority,
        wait_s: Callable[[], float],
    ) -> tuple[list[Fetched], dict[str, TdsError]]:
        """Fetch ids in as few calls as Zoho takes; returns what came, and the errors of those that got no answer.

        A group that is refused is halved: how many ids Zoho takes is documented nowhere, and one id that it does not
        like must not cost its neighbours. If the halves were all taken, it was the number; that is remembered.
        """
        size = self._sizes.get(spec.name, bulk.size)
        groups = [list(ids[at : at + size]) for at in range(0, len(ids), size)] if size > 1 else []
        found: list[Fetched] = []
        taken: list[int] = []
        refused: list[int] = []
        while groups:
            group = groups.pop()
            try:
                found += self._client.documents(spec, group, priority=priority, permit_wait_s=wait_s())
                taken.append(len(group))
            except ZohoRejected:
                refused.append(len(group))
                if len(group) > _SMALLEST_GROUP:
                    middle = (len(group) + 1) // 2
                    groups += [group[middle:], group[:middle]]
            except TdsError as exc:
                return found, dict.fromkeys(chain(group, *groups), exc)
        if refused and taken and max(taken) < min(refused):
            self._sizes[spec.name] = max(taken)
        elif len(refused) > _HOPELESS_CALLS and not taken:
            self._sizes[spec.name] = 1
        return found, {}

    def _fetch_listed(
        self, spec: EntitySpec, ids: Sequence[str], priority: Priority, wait_s: Callable[[], float]
    ) -> list[Fetch]:
        """Read the whole list for them: what it does not show is gone, if it shows another record that is known."""
        try:
            pages = self._whole_list(spec, priority, wait_s)
        except TdsError as exc:
            return [Fetch(id=document_id, error=exc) for document_id in ids]
        found: dict[str, Fetch] = {}
        shown: set[str] = set()
        for page in pages:
            for row in page.rows:
                with suppress(InvalidDocument, InvalidId):  # a row without an id is nobody's
                    document_id = parse_id(spec.id_of(row))
                    shown.add(document_id)
                    if document_id in ids:
                        found[document_id] = self._read_row(spec, document_id, row, page.observed_at, priority, wait_s)
        began_at = pages[0].observed_at
        return [
            found.get(document_id) or self._confirm(spec, document_id, began_at, priority, wait_s, shown=shown)
            for document_id in ids
        ]

    def _read_row(
        self,
        spec: EntitySpec,
        document_id: str,
        row: JsonObject,
        began_at: datetime,
        priority: Priority,
        wait_s: Callable[[], float],
    ) -> Fetch:
        """A list row as the document that it is, or that it is together with its parts."""
        try:
            if spec.parts is not None and spec.parts.key not in row:
                parts = self._client.parts(spec, document_id, priority=priority, permit_wait_s=wait_s())
                row = row | {spec.parts.key: parts}
        except TdsError as exc:
            return Fetch(id=document_id, error=exc)
        return self._read(spec, document_id, row, began_at)

    def _whole_list(self, spec: EntitySpec, priority: Priority, wait_s: Callable[[], float]) -> list[ListPage]:
        pages: list[ListPage] = []
        while not pages or pages[-1].has_more:
            number = len(pages) + 1
            pages.append(self._client.list_page(spec, page=number, priority=priority, permit_wait_s=wait_s()))
        return pages

    def _fetch_one(self, spec: EntitySpec, document_id: str, priority: Priority, wait_s: Callable[[], float]) -> Fetch:
        try:
            fetched = self._client.document(spec, document_id, priority=priority, permit_wait_s=wait_s())
            return self._read(spec, document_id, fetched.document, fetched.observed_at)
        except DocumentNotFound as exc:
            return self._confirm(spec, document_id, exc.observed_at, priority, wait_s)
        except ZohoRejected as exc:
            if exc.code == NO_ENDPOINT_CODE and spec.parts is not None:
                return self._fetch_listed(spec, [document_id], priority, wait_s)[0]
            return Fetch(id=document_id, error=exc)
        except TdsError as exc:
            return Fetch(id=document_id, error=exc)

    def _confirm(
        self,
        spec: EntitySpec,
        document_id: str,
        began_at: datetime,
        priority: Priority,
        wait_s: Callable[[], float],
        *,
        shown: Collection[str] | None = None,
    ) -> Fetch:
        try:
            evidence = self._guard.confirm(spec, document_id, priority=priority, wait_s=wait_s(), shown=shown)
        except TdsError as error:
            return Fetch(id=document_id, error=error)
        return Fetch(
            id=document_id, began_at=began_at, candidate=gone(document_id, observed_at=began_at, evidence=evidence)
        )

    def _read(self, spec: EntitySpec, document_id: str, document: JsonObject, began_at: datetime) -> Fetch:
        moment = Moment(at=began_at, clock=Clock.FETCH)
        try:
            if not spec.is_own(document):
                return self._moved(spec, document_id, _owner(spec, document), began_at)
            candidate = from_document(spec, document, moment=moment, source="fetch")
        except Exception as exc:  # whatever it is, it must not cost the other documents
            return Fetch(id=document_id, began_at=began_at, error=foreseen(exc))
        return Fetch(id=document_id, began_at=began_at, candidate=candidate)

    def _moved(self, spec: EntitySpec, document_id: str, owner: str, began_at: datetime) -> Fetch:
        """A record of another entity: Zoho showed it in person, so a row here needs no further proof to go."""
        candidate = None
        if owner and self._guard.is_live(spec, document_id):
            candidate = gone(document_id, observed_at=began_at, evidence={"belongs_to": owner})
        return Fetch(id=document_id, began_at=began_at, candidate=candidate, belongs_to=owner)


def _owner(spec: EntitySpec, document: JsonObject) -> str:
    """The entity of the same list whose record this is; "" when there is none."""
    return next((other.name for other in scans()[spec.scan_name] if other.is_own(document)), "")
