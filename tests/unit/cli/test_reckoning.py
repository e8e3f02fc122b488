"""Mirror against truth: equal only to the last digit, and the least calls that a history needs."""

from typing import Any

import pytest

from cli.reckoning import Account, accounts, least_calls
from tds_core.entities import REGISTRY
from tests.unit.cli.status_figures import entity


def account(truth: Any, figures: Any) -> Account:
    return next(part for part in accounts({"invoices": truth}, {"invoices": figures}) if part.entity == "invoices")


TRUTH = {"count": 2, "totals": {"IQD": {"total": "10.50", "balance": "0"}, "USD": {"total": "1", "balance": "1"}}}


def test_equal_values_in_another_spelling_are_equal() -> None:
    totals = {"USD": {"total": "1.000", "balance": "1.00"}, "IQD": {"total": "10.5", "balance": "0"}}
    assert account(TRUTH, entity(erp=2, totals=totals)).is_equal


@pytest.mark.parametrize(
    "figures",
    [
        entity(erp=1, totals=TRUTH["totals"]),  # type: ignore[arg-type]
        entity(erp=2, pending=1, totals=TRUTH["totals"]),  # type: ignore[arg-type]
        entity(erp=2, totals={"IQD": {"total": "10.50", "balance": "0"}}),
        entity(erp=2, totals=TRUTH["totals"] | {"RMB": {"total": "0.001", "balance": "0"}}),  # type: ignore[operator]
        entity(erp=2, totals=TRUTH["totals"] | {"USD": {"total": "1", "balance": "0.999"}}),  # type: ignore[operator]
    ],
    ids=["a row too few", "a document pending", "a currency missing", "a currency too many", "a thousandth"],
)
def test_any_difference_is_one(figures: Any) -> None:
    assert not account(TRUTH, figures).is_equal


def test_a_currency_of_zeros_may_be_missing() -> None:
    assert account({"count": 0, "totals": {"USD": {"total": "0"}}}, entity()).is_equal


def test_totals_stay_exact_beyond_a_floats_digits() -> None:
    totals = {"IQD": {"total": "90071992547409931.001"}}
    part = account({"count": 1, "totals": totals}, entity(erp=1, totals={"IQD": {"total": "90071992547409931.002"}}))
    assert not part.is_equal


def test_an_entity_that_one_side_lacks_is_compared_with_nothing() -> None:
    part = next(part for part in accounts({"payments": {"count": 3, "totals": {}}}, {}) if part.entity == "payments")
    assert part.difference == -3
    assert {part.entity for part in accounts({}, {})} == REGISTRY.keys()


def test_prices_are_held_against_the_truth_like_an_entity() -> None:
    prices = {"erp": 2, "totals": {"": {"rates": "1.055"}}}
    figures = {"price_lists": entity(erp=1) | {"children": {"price_list_items": prices}}}
    for rates, is_equal in (("1.0550", True), ("1.056", False)):
        truth = {"price_list_items": {"count": 2, "totals": {"": {"rates": rates}}}}
        part = next(part for part in accounts(truth, figures) if part.entity == "price_list_items")
        assert part.is_equal is is_equal


def test_least_calls_share_the_list_of_contacts_and_read_items_by_the_hundred() -> None:
    assert least_calls({"products": 2221}) == 12 + 23
    assert least_calls({"customers": 150, "vendors": 60}) == 2 + 210
    assert least_calls({"invoices": 1000}) == 5 + 1000
    assert least_calls({"users": 25, "locations": 4, "price_lists": 7}) == 1 + 1 + 1 + 7
    assert least_calls({}) == 0
