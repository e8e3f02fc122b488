"""The figures as the page lays them out: rows and blocks of `sync/overview.py`'s answer, nothing measured here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tds_core.database import images
from tds_core.entities import REGISTRY

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityRow:
    """One line of the table of entities; `zoho` is None before the first comparison."""

    name: str
    zoho: int | None
    erp: int
    pending: int
    changed_at: str | None
    read_at: str | None
    verified_at: str | None

    @property
    def difference(self) -> int | None:
        """How many more rows the ERP has."""
        return None if self.zoho is None else self.erp - self.zoho


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalRow:
    """One total in one currency: both sides of its entity's comparison, and the ERP's now."""

    entity: str
    currency: str
    figure: str
    zoho: str | None
    erp_then: str | None
    erp_now: str | None

    @property
    def is_equal(self) -> bool | None:
        """Whether both sides were equal to the last digit; None when they were never compared."""
        if self.zoho is None or self.erp_then is None:
            return None
        return Decimal(self.zoho) == Decimal(self.erp_then)


def entity_rows(figures: Figures) -> list[EntityRow]:
    """The entities in the registry's order."""
    compared = figures["verification"]["compared"]
    rows = []
    for name, one in figures["entities"].items():
        scan = figures["scans"].get(REGISTRY[name].scan_name, {})
        read = [moment for moment in (scan.get("polled_at"), scan.get("walked_at")) if moment]
        rows.append(
            EntityRow(
                name=name,
                zoho=_part(figures, name).get("zoho"),
                erp=one["erp"],
                pending=one["details_pending"],
                changed_at=one["last_modified_time"],
                read_at=max(read, default=None),
                verified_at=compared[name]["ended_at"],
            )
        )
    return rows


def total_rows(figures: Figures) -> list[TotalRow]:
    """Every total of every entity by currency."""
    rows = []
    for name, one in figures["entities"].items():
        then = _sides(_part(figures, name).get("totals") or [])
        now = {(currency, figure): value for currency, sums in one["totals"].items() for figure, value in sums.items()}
        for currency, figure in dict.fromkeys([*now, *then]):
            zoho, erp = then.get((currency, figure), (None, None))
            rows.append(
                TotalRow(
                    entity=name,
                    currency=currency,
                    figure=figure,
                    zoho=zoho,
                    erp_then=erp,
                    erp_now=now.get((currency, figure)),
                )
            )
    return rows


def _sides(totals: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
    """Zoho's and the ERP's sum by currency and figure, over all statuses."""
    sides: dict[tuple[str, str], tuple[str, str]] = {}
    for one in totals:
        zoho, erp = sides.get((one["currency"], one["column"]), ("0", "0"))
        added = (str(Decimal(zoho) + Decimal(one["zoho"])), str(Decimal(erp) + Decimal(one["erp"])))
        sides[one["currency"], one["column"]] = added
    return sides


def webhook_rows(figures: Figures) -> list[tuple[str, str, int, str]]:
    """Module, event, count and last arrival of what came in a day."""
    return [(*one["webhook"].partition("/")[::2], one["count"], one["last_at"]) for one in figures["webhooks_24h"]]


def waiting(figures: Figures) -> list[Mapping[str, Any]]:
    """The queues in which something waits."""
    return [place for name, place in figures["places"].items() if name.startswith("queue/") and place["messages"]]


def dead_total(figures: Figures) -> int:
    """How many messages are dead, shown or not."""
    return sum(place["messages"] for name, place in figures["places"].items() if not name.startswith("queue/"))


def compared_at(figures: Figures) -> str | None:
    """When anything was last compared."""
    moments = [one["ended_at"] for one in figures["verification"]["compared"].values() if one["ended_at"]]
    return max(moments, default=None)


def images_compared(figures: Figures) -> Figures | None:
    """What the last comparison found of the images; None where there was none."""
    return _part(figures, images.ENTITY) or None


def _part(figures: Figures, name: str) -> Figures:
    """What the newest comparison of an entity, or of the images, found; empty before the first."""
    part: Figures | None = figures["verification"]["compared"][name]["part"]
    return part or {}
