"""The mirror held against the truth, and the calls that were made against those that had to be made."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any

from tds_core.entities import REGISTRY, scans

_ROWS_PER_PAGE = 200
Totals = Mapping[str, Mapping[str, Decimal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One entity on both sides; totals by currency and column, exact."""

    entity: str
    zoho: int
    erp: int
    details_pending: int
    zoho_totals: Totals
    erp_totals: Totals

    @property
    def difference(self) -> int:
        """ERP rows too many, or too few."""
        return self.erp - self.zoho

    @property
    def sums(self) -> list[tuple[str, str, Decimal, Decimal]]:
        """Currency, column, Zoho's total and the ERP's, of every currency and column that either side has."""
        keys = sorted(
            {
                (currency, column)
                for totals in (self.zoho_totals, self.erp_totals)
                for currency, columns in totals.items()
                for column in columns
            }
        )
        return [(*key, _sum(self.zoho_totals, *key), _sum(self.erp_totals, *key)) for key in keys]

    @property
    def is_equal(self) -> bool:
        """Whether both sides agree to the last digit and nothing is pending."""
        return (
            not self.difference and not self.details_pending and all(ours == theirs for *_, theirs, ours in self.sums)
        )


def accounts(truth: Mapping[str, Any], entities: Mapping[str, Any]) -> list[Account]:
    """Hold the simulator's truth against the console's figures; an entity on one side only counts as empty there.

    What the console tells of child tables is held against the truth as entities are.
    """
    children = {table: own for part in entities.values() for table, own in part.get("children", {}).items()}
    entities = {**entities, **children}
    return [
        Account(
            entity=name,
            zoho=truth.get(name, {}).get("count", 0),
            erp=entities.get(name, {}).get("erp", 0),
            details_pending=entities.get(name, {}).get("details_pending", 0),
            zoho_totals=_exact(truth.get(name, {}).get("totals", {})),
            erp_totals=_exact(entities.get(name, {}).get("totals", {})),
        )
        for name in dict.fromkeys((*REGISTRY, *truth, *entities))
    ]


def least_calls(counts: Mapping[str, int]) -> int:
    """The calls that a whole history needs: lists of 200 rows, and a document each where the list does not show it.

    Where Zoho lets us a call brings a hundred documents.
    """
    lists = sum(ceil(sum(counts.get(spec.name, 0) for spec in specs) / _ROWS_PER_PAGE) for specs in scans().values())
    details = sum(
        ceil(counts.get(name, 0) / spec.fetched_together)
        for name, spec in REGISTRY.items()
        if not spec.rows_are_documents
    )
    return lists + details


def _exact(totals: Mapping[str, Mapping[str, str]]) -> Totals:
    return {currency: {name: Decimal(text) for name, text in sums.items()} for currency, sums in totals.items()}


def _sum(totals: Totals, currency: str, column: str) -> Decimal:
    return totals.get(currency, {}).get(column, Decimal(0))
