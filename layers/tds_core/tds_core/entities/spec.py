"""What differs between entities, as data; everything else is one code path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, get_args, get_origin

from tds_core.entities.model import DetailOnly, Document, Element, ListOnly
from tds_core.errors import InvalidDocument
from tds_core.lossless_json import JsonObject as RawDocument

Product = Literal["books", "inventory"]
# what a call is made for by the clock; how often stands in one table
Purpose = Literal["poll", "slow_poll", "stock", "balances", "prices", "daily", "deep"]
ROWS_PER_PAGE = 200
# what lines quote of their products: it moves without them, and is left out of hashes
STOCK_OF_LINES = frozenset({"stock_on_hand", "available_stock", "committed_stock", "available_for_sale_stock"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModifiedSince:
    """The list honours `last_modified_time=`; every returned row is checked against it."""

    sort_column: str = "last_modified_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestFirst:
    """No filter: pages are read newest first by `sort_column` down to the cursor."""

    sort_column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBack:
    """No filter and no sort by change: the newest pages back to `days` before today, by `date_column`.

    Most of what happens shows on the first page; `deeper` says how often those behind it are read, too.
    """

    date_column: str
    days: int
    deeper: Purpose = "slow_poll"


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeList:
    """Neither filter nor useful order: the whole list is read each time."""


Changes = ModifiedSince | NewestFirst | LookBack | WholeList


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """The records whose `date_column` lies within the last `days`."""

    date_column: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkDetail:
    """An endpoint that returns many full documents at once."""

    path: str
    ids_parameter: str
    list_key: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A list of one record with an endpoint of its own: `key` in the document, `list_key` in that endpoint's answer.

    It stands in for a detail endpoint that no document of Zoho's names: should Zoho not have that one (code 5), the
    record's list row with this list is its document. A list row that has the key brings it itself.
    """

    key: str
    path: str
    id_parameter: str
    list_key: str


@dataclass(frozen=True, kw_only=True)
class ChildTable:
    """Rows of a list inside the document, replaced as a set with it; keyed by the document's key and `key`.

    `source_keys` are tried in order (organisations that never migrated say warehouses for locations);
    `model` reads one element, its field names are the child's columns. Elements with the same `key` are one row:
    the later one wins, unless `part` names a column that tells them apart; then their `added` columns are added up.
    `totals` are the sums that people compare with Zoho, each of a column. `none_where` names a key and the value with
    which a document says that it has no such rows: then its list may be absent, too.
    """

    table: str
    source_keys: tuple[str, ...]
    key: str
    model: type[Element]
    part: str = ""
    added: tuple[str, ...] = ()
    totals: Mapping[str, str] = field(default_factory=dict)
    none_where: tuple[str, str] | None = None

    @cached_property
    def needed_columns(self) -> frozenset[str]:
        """Columns without which there is no row: what tells rows apart, and what is added up."""
        return frozenset({self.key, self.part, *self.added, *self.totals.values()} - {""})

    def read(self, document: RawDocument) -> tuple[list[dict[str, Any]] | None, frozenset[str]]:
        """The child's rows in the order of their keys, and the columns of which some value could not be read.

        None, where the document says nothing of them, leaves the stored rows alone, an empty list removes them. An
        element without an id is no row. Raises InvalidDocument for no list of objects, and for a needed value.
        """
        present = [document[name] for name in self.source_keys if name in document]
        if not present:
            return [] if self._has_none(document) else None, frozenset()
        rows: dict[str, dict[str, Any]] = {}
        parts, unreadable = self._parts(next((value for value in present if value not in (None, "", [])), []))
        for part in parts:
            row = rows.setdefault(part[self.key], {})
            added = {name: _add(row.get(name), part[name]) for name in self.added if name in part}
            row |= part | added
        return list(rows.values()), unreadable

    def _has_none(self, document: RawDocument) -> bool:
        name, value = self.none_where or ("", None)
        return value is not None and document.get(name) == value

    def _parts(self, elements: Any) -> tuple[list[dict[str, Any]], frozenset[str]]:
        if not isinstance(elements, list) or not all(isinstance(element, dict) for element in elements):
            raise InvalidDocument(f"{self.model.__name__}: expected a list of objects")
        names = self.model.source_keys(self.key)
        parts: dict[tuple[str, str], dict[str, Any]] = {}
        unreadable: frozenset[str] = frozenset()
        for element in elements:
            if any(element.get(name) not in (None, "") for name in names):
                reading = self.model.read(element, needed=self.needed_columns)
                columns, unreadable = reading.columns, unreadable | reading.unreadable
                parts[columns[self.key], columns.get(self.part) or ""] = columns
        return [parts[key] for key in sorted(parts)], unreadable


def _add(some: Decimal | None, more: Decimal | None) -> Decimal | None:
    return some if more is None else more if some is None else some + more


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """Writing this document may have changed records of `entity` that Zoho does not announce.

    `path` leads to their ids in the document: `customer_id`, `line_items[].item_id`. They are fetched one by one,
    or, where one list shows them all for fewer calls, by a walk.
    """

    entity: str
    path: str
    refresh: Literal["fetch", "walk"] = "fetch"


@dataclass(frozen=True, kw_only=True)
class EntitySpec:
    """One entity of the mirror; `name` is what people and messages call it, and its table and queue unless they differ.

    `document_keys` are what a full document must hold, `critical` the columns that must not be NULL, `compared` the
    amounts, stock and states that reports show of both sides, `totals` those that are added up by currency, `moved` the
    list's columns that documents which touch this entity move without a version of its own.
    `freshness` is what is promised for changes that no webhook announced, `slower` what else is promised, and for what.
    `cadence` says how often the list is polled. `walk` and `refetch`, for what changes without any version, say how
    often the list is read whole or the documents are fetched anew, `refetch_only` which ones. `walk_sort` is the column
    by which a whole walk is ordered, oldest first; a list that ignores it is no error. `rows_are_documents`: the list
    shows all there is, so a record is fetched by reading its list, and is gone when the list shows others without it.
    `deleted_where` is what a row says that is no record any more. `paged` is False for a list that answers whole and
    without a page_context. `scope` is the part of Zoho's OAuth scope that reads it, where that is not the path's own
    name. `numbers` are the columns by which people call a record: its number, or its name.
    """

    name: str
    model: type[Document]
    key: str
    product: Product
    path: str
    list_key: str
    detail_key: str
    changes: Changes
    document_keys: frozenset[str]
    critical: tuple[str, ...]
    compared: tuple[str, ...]
    totals: tuple[str, ...]
    freshness: timedelta
    moved: tuple[str, ...] = ()
    table: str = ""
    queue: str = ""
    slower: tuple[str, timedelta] | None = None
    cadence: Purpose = "poll"
    walk: Purpose | None = None
    refetch: Purpose | None = None
    refetch_only: Recent | None = None
    rows_are_documents: bool = False
    paged: bool = True
    walk_sort: str = "created_time"
    bulk: BulkDetail | None = None
    parts: Parts | None = None
    scan: str = ""
    discriminator: tuple[str, str] | None = None
    deleted_where: tuple[str, str] | None = None
    document_version: str = "last_modified_time"
    numbers: tuple[str, ...] = ()
    volatile: frozenset[str] = frozenset()
    children: tuple[ChildTable, ...] = ()
    touches: tuple[Touch, ...] = ()
    webhook_modules: tuple[str, ...] = ()
    list_parameters: Mapping[str, str] = field(default_factory=dict)
    scope: str = ""

    def __post_init__(self) -> None:
        """Fill in the names that are the entity's own."""
        object.__setattr__(self, "table", self.table or self.name)
        object.__setattr__(self, "queue", self.queue or self.name)

    @property
    def scan_name(self) -> str:
        """The list that is walked: customers and vendors share the scan of contacts."""
        return self.scan or self.name

    @property
    def grows_at_its_end(self) -> bool:
        """Whether a walk meets new records at the list's end only: the time of creation never changes."""
        return self.walk_sort == "created_time"

    @property
    def tables(self) -> tuple[str, ...]:
        """The mirror table and its child tables."""
        return (self.table, *(child.table for child in self.children))

    @property
    def fetched_together(self) -> int:
        """How many documents one fetch may bring."""
        if self.rows_are_documents:
            return ROWS_PER_PAGE
        return self.bulk.size if self.bulk else 1

    @cached_property
    def zoho_key(self) -> str:
        """Zoho's name of the id: products have item_id."""
        return self.model.model_fields[self.key].alias or self.key

    @cached_property
    def header_columns(self) -> frozenset[str]:
        """Columns, besides the version, that list rows carry."""
        return frozenset(self.model.model_fields) - self.detail_columns - {"last_modified_time"}

    @cached_property
    def detail_columns(self) -> frozenset[str]:
        """Columns that only full documents carry."""
        return self._marked(DetailOnly)

    @cached_property
    def shared_columns(self) -> frozenset[str]:
        """Columns that list rows and documents both carry."""
        return self.header_columns - self._marked(ListOnly)

    @cached_property
    def needed_columns(self) -> frozenset[str]:
        """Columns without which no record is taken; others become NULL where Zoho's value cannot be read."""
        # the key and the version, what people rely on and compare, and what leads to the records that it touches
        leads = {touch.path.partition(".")[0].removesuffix("[]") for touch in self.touches}
        leading = {name for name in self.model.model_fields if leads.intersection(self.model.source_keys(name))}
        return frozenset({self.key, "last_modified_time", *self.critical, *self.compared, *self.totals, *leading})

    @cached_property
    def plain_columns(self) -> frozenset[str]:
        """Columns of one value each: all but the key, the version and those of JSON."""
        return (self.header_columns | self.detail_columns) - self.json_columns - {self.key}

    @cached_property
    def json_columns(self) -> frozenset[str]:
        """Columns that hold a list or an object."""
        fields = self.model.model_fields.items()
        return frozenset(
            name for name, info in fields if {get_origin(part) for part in get_args(info.annotation)} & {list, dict}
        )

    @property
    def shares_version(self) -> bool:
        """Whether a document's version may be compared with the list's (payments: it may not)."""
        return self.document_version == "last_modified_time"

    def is_document(self, source: RawDocument) -> bool:
        """Whether this is a full document; chosen-field webhook bodies and list rows are not."""
        return self.document_keys <= source.keys()

    def is_own(self, source: RawDocument) -> bool:
        """Whether this record is of this entity: a contact may be a customer or a vendor."""
        if self.discriminator is None:
            return True
        name, value = self.discriminator
        return str(source.get(name, value)).lower() == value

    def is_deleted(self, row: RawDocument) -> bool:
        """Whether the list shows this record although it is deleted, and says so."""
        name, value = self.deleted_where or ("", None)
        return value is not None and str(row.get(name)).lower() == value

    def _marked(self, mark: type[DetailOnly] | type[ListOnly]) -> frozenset[str]:
        fields = self.model.model_fields.items()
        return frozenset(name for name, info in fields if any(isinstance(item, mark) for item in info.metadata))

    def id_of(self, source: RawDocument) -> Any:
        """The record's id as the source gives it; raises InvalidDocument when there is none."""
        try:
            return source[self.zoho_key]
        except KeyError as exc:
            raise InvalidDocument(f"no {self.zoho_key}") from exc
