"""The generated organisation: sizes, determinism, and books that agree with each other."""

import re

import pytest

from cli.local.zoho_simulator.clock import midnight
from cli.local.zoho_simulator.entities import CONTACTS, INVOICES, ITEMS, PAYMENTS, PRICEBOOKS, SPECS, views
from cli.local.zoho_simulator.options import SIZES, Options
from cli.local.zoho_simulator.world import World, encode
from tests.ledger import agrees
from tests.zoho_caller import BASE_DATE, Clock


def world(**options: object) -> World:
    return World(Options(base_date=BASE_DATE, **options), SPECS, Clock())  # type: ignore[arg-type]


def documents(made: World) -> list[bytes]:
    return [
        encode(spec.document(made, record, spec.home)) for spec in SPECS for record in made.table(spec).records.values()
    ]


@pytest.mark.parametrize("size", ["small", "demo"])
def test_a_size_has_its_counts(size: str) -> None:
    made = world(size=size)
    counted = {name: sum(map(view.shows, made.table(spec).records.values())) for name, (spec, view) in views().items()}
    assert counted == {name: view.sizes[size] for name, (_, view) in views().items()}


@pytest.mark.parametrize("size", SIZES)
def test_every_entity_has_a_count_in_every_size(size: str) -> None:
    assert all(size in view.sizes for _, view in views().values())


def test_counts_can_be_overridden_and_unknown_ones_are_refused() -> None:
    made = world(counts={"invoices": 7, "payments": 0, "vendors": 2, "price_list_items": 31, "bills": 0})
    sizes = {spec.name: len(made.table(spec)) for spec in SPECS}
    assert [sizes[name] for name in ("items", "contacts", "invoices", "customerpayments", "bills")] == [60, 27, 7, 0, 0]
    assert sum(len(made_list.prices) for made_list in made.table(PRICEBOOKS).records.values()) == 31
    with pytest.raises(ValueError, match="widgets"):
        world(counts={"widgets": 1})


@pytest.mark.parametrize(
    "counts",
    [{"products": 10, "invoices": 1, "payments": 0}, {"vendors": 0}, {"invoices": 0, "payments": 0}, {"customers": 1}],
    ids=str,
)
def test_what_was_not_asked_for_gives_way(counts: dict[str, int]) -> None:
    agrees(world(counts=counts))


@pytest.mark.parametrize(
    "counts",
    [{"vendors": 0, "bills": 1}, {"invoices": 0, "credit_notes": 1}, {"products": 2, "price_list_items": 13}],
    ids=str,
)
def test_what_was_asked_for_and_cannot_be_is_refused(counts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="need"):
        world(counts=counts)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert documents(world(seed=3)) == documents(world(seed=3))
    assert documents(world(seed=3)) != documents(world(seed=4))


def test_more_invoices_do_not_change_the_products_or_contacts() -> None:
    few, many = world(counts={"invoices": 5}), world(counts={"invoices": 90})
    for name in ("items", "contacts"):
        names = [[record.name for record in made.tables[name].records.values()] for made in (few, many)]
        assert names[0] == names[1]


@pytest.mark.parametrize("counts", [{}, {"payments": 120}, {"invoices": 300, "payments": 40}], ids=str)
def test_the_books_agree(counts: dict[str, int]) -> None:
    agrees(world(counts=counts))


def test_everything_happened_before_the_base_date() -> None:
    made = world(counts={"invoices": 300, "payments": 250})
    end = midnight(BASE_DATE)
    for spec in SPECS:
        for record in made.table(spec).records.values():
            assert record.created <= record.modified < end


def test_data_has_the_quality_of_the_live_organisation() -> None:
    made = world(counts={"products": 600, "customers": 400, "vendors": 9, "invoices": 600, "payments": 500})
    items = list(made.table(ITEMS).records.values())
    customers = [contact for contact in made.table(CONTACTS).records.values() if contact.kind == "customer"]
    invoices, payments = list(made.table(INVOICES).records.values()), list(made.table(PAYMENTS).records.values())
    assert 0.75 < sum(item.sku == "" for item in items) / len(items) < 0.85
    assert sum(len(item.sku) > 50 for item in items) == 2
    assert any(item.rate == 666_666 for item in items)
    assert any(item.rate.as_tuple().exponent == -3 for item in items)
    assert any(quantity < 0 for item in items for quantity in item.stock)
    assert any(quantity % 1 for item in items for quantity in item.stock)
    assert any(re.search("[\u0600-\u06ff]", item.name) for item in items)
    assert 0.5 < sum(customer.email == "" for customer in customers) / len(customers) < 0.64
    assert {invoice.currency.code for invoice in invoices} == {"IQD", "USD", "RMB"}
    assert {1, 12, 300} <= {len(invoice.lines) for invoice in invoices}
    assert any(len(payment.applied) > 1 for payment in payments)
    assert any(payment.applied and payment.unused for payment in payments)
    assert len({payment.mode for payment in payments}) > 5


def test_ids_overflow_a_double() -> None:
    made = world()
    for spec in SPECS:
        for record_id in made.table(spec).records:
            assert re.fullmatch("[0-9]{19}", record_id)
            assert int(record_id) > 2**53
