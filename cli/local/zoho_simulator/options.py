"""What a simulator is started with: its size, seed, limits, and which of Zoho's undocumented behaviours it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, get_args

Size = Literal["small", "demo", "tsh"]
SIZES: tuple[str, ...] = get_args(Size)


@dataclass(kw_only=True)
class Limits:
    """Zoho's call limits for one organisation; None lifts a limit. `latency_s` holds every answer that long."""

    per_minute: int | None = 100
    in_flight: int | None = 10
    per_day: int | None = 10_000
    latency_s: float = 0.0


@dataclass(kw_only=True)
class Quirks:
    """Points on which no source is sure; each can be switched to see that the project holds either way."""

    stock_moves_item_version: bool = False
    items_filter_by_modified: bool = False
    contacts_filter_by_modified: bool = False
    payments_filter_by_modified: bool = False
    overdue_moves_version: bool = False
    invoices_move_order_version: bool = True
    inventory_bills_filter: bool = False
    salesorder_ids_bring_lines: bool = False
    pricebooks_list_prices: bool = False
    pricebook_detail: bool = True
    deleted_users_in_all: bool = False
    deleted_user_detail: bool = False
    contactpersons_paged: bool = True
    arabic_language_code: bool = False
    warehouses: bool = False  # an organisation that never migrated to locations
    details_name_images: bool = False
    several_images: bool = False
    roles_endpoint: bool = False
    missing_record_status: int = 404
    retry_after: bool = False
    separate_day_counters: bool = False
    inventory_per_day: int = 0  # 0: as Books
    day_limit_status: int = 429
    missing_organization_code: int = 6041  # or 4029
    bearer_accepted: bool = False
    itemdetails_maximum: int = 100
    derived_changes_fire_webhooks: bool = True
    rest_changes_fire_webhooks: bool = True  # what another program writes through the REST API
    deletion_body: str = "document"  # document | id | empty


@dataclass(kw_only=True)
class Options:
    """Everything that decides the data and the behaviour; the same options give the same organisation.

    `counts` override the size's counts by the project's entity names; `base_date` is the day after the history ends.
    """

    size: str = "small"
    seed: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)
    base_date: date | None = None
    scopes: frozenset[str] | None = None  # None: all that the specs name
    limits: Limits = field(default_factory=Limits)
    quirks: Quirks = field(default_factory=Quirks)

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ValueError(f"unknown size {self.size!r}: choose one of {', '.join(SIZES)}")
