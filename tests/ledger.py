"""Whether a simulated organisation's books agree, computed from the single documents and not as the simulator does."""

from decimal import Decimal

from cli.local.zoho_simulator.entities import CONTACTS, INVOICES, PAYMENTS
from cli.local.zoho_simulator.world import World


def agrees(made: World) -> None:
    """Invoices, payments and contacts tell the same story."""
    receivable: dict[str, Decimal] = {}
    unused: dict[str, Decimal] = {}
    paid: dict[tuple[str, str], Decimal] = {}
    for payment in made.table(PAYMENTS).records.values():
        assert payment.unused >= 0
        unused[payment.customer_id] = unused.get(payment.customer_id, Decimal(0)) + payment.unused
        for invoice_id, amount, _ in payment.applied:
            paid[(invoice_id, payment.id)] = amount
    for invoice in made.table(INVOICES).records.values():
        assert {(invoice.id, key): amount for key, amount in invoice.payments} == {
            key: amount for key, amount in paid.items() if key[0] == invoice.id
        }
        assert invoice.total == sum((invoice.line_total(line) for line in invoice.lines), Decimal(0)) + (
            invoice.shipping + invoice.adjustment
        )
        assert invoice.status == "void" or 0 <= invoice.balance <= invoice.total
        assert invoice.balance == invoice.total - invoice.paid or invoice.status == "void"
        if invoice.posted:
            owed = receivable.get(invoice.customer_id, Decimal(0))
            receivable[invoice.customer_id] = owed + invoice.balance
    for contact in made.table(CONTACTS).records.values():
        assert contact.receivable == receivable.get(contact.id, 0), contact.name
        assert contact.unused == unused.get(contact.id, 0), contact.name
