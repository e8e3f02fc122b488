"""Whether a simulated organisation's books agree, computed from the single documents and not as the simulator does."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from cli.local.zoho_simulator.entities import (
    BILLS,
    CONTACTS,
    CREDITNOTES,
    INVOICES,
    ITEMS,
    ORDERS,
    PAYMENTS,
    PRICEBOOKS,
)
from cli.local.zoho_simulator.world import World

ZERO = Decimal(0)
Amounts = dict[str, Decimal]


def agrees(made: World) -> None:
    """Invoices, payments, credit notes, orders, bills, items and contacts tell the same story."""
    receivable, unused, payable = _debts(made), _credit(made), _owed_to_vendors(made)
    for contact in made.table(CONTACTS).records.values():
        assert contact.receivable == receivable.get(contact.id, 0), contact.name
        assert contact.unused == unused.get(contact.id, 0), contact.name
        assert contact.payable == payable.get(contact.id, 0), contact.name
    _orders(made)
    items = made.table(ITEMS).records
    for price_list in made.table(PRICEBOOKS).records.values():
        assert {price.item_id for price in price_list.prices} <= items.keys()


def _adds_up(document: Any) -> None:
    lines = sum((document.line_total(line) for line in document.lines), ZERO)
    assert document.total == lines + document.shipping + document.adjustment
    assert document.status == "void" or 0 <= document.balance <= document.total


def _debts(made: World) -> Amounts:
    applied: dict[str, dict[str, Amounts]] = {"payments": defaultdict(dict), "credits": defaultdict(dict)}
    for kind, table in (("payments", made.table(PAYMENTS)), ("credits", made.table(CREDITNOTES))):
        for source in table.records.values():
            for entry in source.applied:
                applied[kind][entry[0]][source.id] = entry[1]
    receivable: Amounts = defaultdict(Decimal)
    for invoice in made.table(INVOICES).records.values():
        _adds_up(invoice)
        for kind in ("payments", "credits"):
            assert dict(getattr(invoice, kind)) == applied[kind].pop(invoice.id, {})
        paid = sum((amount for _, amount in (*invoice.payments, *invoice.credits)), ZERO)
        assert invoice.balance == invoice.total - paid - invoice.written_off or invoice.status == "void"
        if invoice.posted:
            receivable[invoice.contact_id] += invoice.balance
    assert not any(applied.values())
    return receivable


def _credit(made: World) -> Amounts:
    unused: Amounts = defaultdict(Decimal)
    for payment in made.table(PAYMENTS).records.values():
        spent = sum((entry.amount for entry in payment.applied), ZERO) + sum(
            (one.amount for one in payment.refunds), ZERO
        )
        assert payment.unused == payment.amount - spent >= 0
        unused[payment.contact_id] += payment.unused
    for note in made.table(CREDITNOTES).records.values():
        _adds_up(note)
        spent = sum((entry.amount for entry in note.applied), ZERO) + sum((one.amount for one in note.refunds), ZERO)
        assert note.balance == note.total - spent or note.status == "void"
        assert (note.status == "closed") == (note.balance == 0 and note.posted)
        if note.posted:
            unused[note.contact_id] += note.balance
    return unused


def _owed_to_vendors(made: World) -> Amounts:
    payable: Amounts = defaultdict(Decimal)
    for bill in made.table(BILLS).records.values():
        _adds_up(bill)
        if bill.posted:
            payable[bill.contact_id] += bill.total - sum((payment.amount for payment in bill.payments), ZERO)
    return payable


def _orders(made: World) -> None:
    committed: Amounts = defaultdict(Decimal)
    invoices = made.table(INVOICES).records
    taken = {(i.order_id, i.id) for i in invoices.values() if i.order_id in made.table(ORDERS).records}
    for order in made.table(ORDERS).records.values():
        for invoice_id, quantities in order.invoiced:
            assert invoices[invoice_id].order_id == order.id
            assert len(quantities) == len(order.lines)
            assert invoices[invoice_id].status != "void"
            taken.discard((order.id, invoice_id))
        for position, line in enumerate(order.lines):
            invoiced = sum((quantities[position] for _, quantities in order.invoiced), ZERO)
            if order.status == "open":
                committed[line.item_id] += max(ZERO, line.quantity - invoiced)
    assert all(invoices[invoice_id].status == "void" for _, invoice_id in taken)
    for item in made.table(ITEMS).records.values():
        assert item.committed == committed.get(item.id, 0), item.name
