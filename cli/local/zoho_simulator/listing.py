"""Lists: filters, order, pages and the page_context that tells which of them were heeded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cli.local.zoho_simulator import clock
from cli.local.zoho_simulator.answers import Answer, success
from cli.local.zoho_simulator.records import EntitySpec, InvalidValue, Product, Record, sort_records
from cli.local.zoho_simulator.world import World, encode

R = TypeVar("R", bound=Record)
PER_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Distortion:
    """How a fault bends a list: seconds behind, filters ignored, rows left out."""

    lag_s: float = 0.0
    ignore_filters: bool = False
    empty: bool = False


STRAIGHT = Distortion()


def whole(query: Mapping[str, str], name: str, default: int) -> int:
    """A positive whole number of the query."""
    try:
        value = int(query.get(name, default))
    except ValueError as exc:
        raise InvalidValue(name) from exc
    if value < 1:
        raise InvalidValue(name)
    return value


def list_page(
    world: World, spec: EntitySpec[R], product: Product, query: Mapping[str, str], distortion: Distortion = STRAIGHT
) -> Answer:
    """One page of a list; raises InvalidValue, which is Zoho's code 2."""
    page, per_page = (whole(query, "page", 1), min(whole(query, "per_page", PER_PAGE), PER_PAGE))
    column, order = order_of(spec, query)
    rows: Sequence[R] = candidates(world, spec, column, order, distortion.lag_s)
    if not distortion.ignore_filters:
        rows = filtered(world, spec, rows, query, product)
    start = (page - 1) * per_page
    shown = [] if distortion.empty else rows[start : start + per_page]
    context = {
        "page": page,
        "per_page": per_page,
        "has_more_page": start + per_page < len(rows) and not distortion.empty,
        "report_name": spec.listing.report_name,
        "applied_filter": query.get("filter_by", spec.listing.applied_filter),
        "custom_fields": [],
        **spec.listing.context,
        "sort_column": column,
        "sort_order": order,
    }
    body = b'{"code":0,"message":"success","%s":[%s],"page_context":%s}' % (
        spec.list_key.encode(),
        b",".join(rows_of(world, spec, shown, product, query)),
        encode(context),
    )
    return Answer(body=body)


def whole_list(world: World, spec: EntitySpec[R], product: Product, distortion: Distortion = STRAIGHT) -> Answer:
    """A list without pages: every row, and no page_context."""
    rows = [] if distortion.empty else candidates(world, spec, *order_of(spec, {}), distortion.lag_s)
    return success(spec.list_key, b"[" + b",".join(rows_of(world, spec, rows, product, {})) + b"]")


def rows_of(
    world: World, spec: EntitySpec[R], records: Sequence[R], product: Product, query: Mapping[str, str]
) -> list[bytes]:
    """The rows encoded; some queries make them longer."""
    if spec.list_extra is None or not set(query) & spec.list_extra_of:
        return [world.row_bytes(spec, record, product) for record in records]
    extra = spec.list_extra
    return [encode(extra(world, record, spec.row(world, record, product), query)) for record in records]


def order_of(spec: EntitySpec[Any], query: Mapping[str, str]) -> tuple[str, str]:
    """The column and direction that apply; a column that the list cannot sort by is ignored without a word."""
    listing = spec.listing
    column, order = query.get("sort_column", ""), query.get("sort_order", "")
    if column not in listing.sort_keys:
        column = listing.sort_column
        default = listing.sort_order
    else:
        default = "A"
    return column, order if order in ("A", "D") else default


def filtered(
    world: World, spec: EntitySpec[R], rows: Sequence[R], query: Mapping[str, str], product: Product
) -> Sequence[R]:
    """The rows that hold every filter of a query that this list knows; all others are ignored."""
    default, listing = spec.listing.default, spec.listing
    if default is not None and query.get("filter_by", "") in ("", listing.applied_filter):
        rows = [record for record in rows if default(world, record)]
    if product == "inventory" and not listing.inventory_filters and not world.options.quirks.inventory_bills_filter:
        return rows
    for name, value in query.items():
        if name in spec.listing.filters and value:
            try:
                holds = spec.listing.filters[name](value)
            except InvalidValue as exc:
                raise InvalidValue(name) from exc
            rows = [record for record in rows if holds(record)]
    since = query.get("last_modified_time", "")
    if since and spec.listing.filters_by_modified(world):
        try:
            limit = clock.parse_zoho_time(since)
        except ValueError as exc:
            raise InvalidValue("last_modified_time") from exc
        rows = [record for record in rows if record.modified >= limit]
    return rows


def candidates(world: World, spec: EntitySpec[R], column: str, order: str, lag_s: float) -> list[R]:
    """Every record in order, as it is or as it was some seconds ago."""
    if not lag_s:
        return world.table(spec).ordered(column, order)
    return sort_records(world.as_of(spec, lag_s).values(), spec.listing, column, order)
