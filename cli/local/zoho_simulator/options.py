"""What a simulator is started with: its size, seed, limits, and which of Zoho's undocumented behaviours it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

SIZES: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "small": {
            "products": 60,
            "customers": 25,
            "vendors": 6,
            "invoices": 40,
            "payments": 30,
        },
        "tsh": {
            "products": 2221,
            "customers": 2503,
            "vendors": 81,
            "invoices": 23972,
            "payments": 20000,
        },
    }
)

READ_SCOPES = (
    "ZohoBooks.settings.READ",
    "ZohoBooks.contacts.READ",
    "ZohoBooks.invoices.READ",
    "ZohoBooks.customerpayments.READ",
    "ZohoInventory.settings.READ",
    "ZohoInventory.items.READ",
    "ZohoInventory.contacts.READ",
    "ZohoInventory.invoices.READ",
    "ZohoInventory.customerpayments.READ",
)


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
    missing_record_status: int = 404
    retry_after: bool = False
    separate_day_counters: bool = False
    itemdetails_maximum: int = 100
    derived_changes_fire_webhooks: bool = True
    deletion_body: str = "document"  # document | id | empty


@dataclass(kw_only=True)
class Options:
    """Everything that decides the data and the behaviour; the same options give the same organisation."""

    size: str = "small"
    seed: int = 1
    counts: Mapping[str, int] = field(default_factory=dict)
    base_date: date | None = None
    scopes: tuple[str, ...] = READ_SCOPES
    limits: Limits = field(default_factory=Limits)
    quirks: Quirks = field(default_factory=Quirks)

    def count(self, entity: str) -> int:
        """How many records of an entity the organisation begins with."""
        if self.size not in SIZES:
            raise ValueError(f"unknown size {self.size!r}: choose one of {', '.join(SIZES)}")
        unknown = set(self.counts) - set(SIZES[self.size])
        if unknown:
            raise ValueError(f"unknown entity in counts: {', '.join(sorted(unknown))}")
        return self.counts.get(entity, SIZES[self.size][entity])
