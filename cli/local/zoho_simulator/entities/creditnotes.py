"""Credit notes for goods that came back: applied to invoices, paid back, or still open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_FLOOR, Decimal
from random import Random
from typing import Any

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import DAY_S
from cli.local.zoho_simulator.entities import (
    contacts,
    creditnote_documents,
    line_items,
    postings,
    receivables,
    trade,
)
from cli.local.zoho_simulator.entities.contacts import CONTACTS, Contact
from cli.local.zoho_simulator.entities.credits import CreditNote
from cli.local.zoho_simulator.entities.invoices import INVOICES
from cli.local.zoho_simulator.entities.line_items import Line
from cli.local.zoho_simulator.entities.postings import UNPOSTED
from cli.local.zoho_simulator.entities.receivables import Invoice
from cli.local.zoho_simulator.entities.refunds import MODES, Refund, given_refunds, new_refund, refunded
from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.records import Below, EntitySpec, Fields, Json, Listing, Refused, View, pick
from cli.local.zoho_simulator.world import World

FATES, FATE_WEIGHTS = ("applied", "refunded", "both", "open", "void", "draft"), (60, 15, 8, 12, 3, 2)


def _new(world: World, customer: Contact, lines: tuple[Line, ...], *, index: int, at: int) -> CreditNote:
    number = f"CN-{index:05d}"
    return CreditNote.begin(world, CREDITNOTES, customer, at=at, number=number, lines=lines, status="open")


def _returned(world: World, random: Random, invoice: Invoice) -> tuple[Line, ...]:
    """A few of an invoice's lines, whole or in part."""
    chosen = random.sample(invoice.lines, min(len(invoice.lines), random.choice((1, 1, 2))))
    return tuple(
        line._replace(
            line_id=line_items.next_id(world),
            quantity=max(
                Decimal(1), (line.quantity * Decimal(random.choice(("0.3", "0.5", "1")))).to_integral_value(ROUND_FLOOR)
            )
            if line.quantity >= 1
            else line.quantity,
        )
        for line in chosen
    )


# -- history


def generate(world: World, random: Random) -> Iterator[CreditNote]:
    """Goods of invoices that came back within days; payments come later and find less to pay."""
    invoices = [
        invoice for invoice in world.table(INVOICES).records.values() if invoice.posted and invoice.sub_total > 0
    ]
    count = world.size("credit_notes", most=None if invoices else 0, needs="invoices")
    origins = sorted(random.choices(range(len(invoices)), k=count)) if count else []
    for index, position in enumerate(origins):
        invoice = invoices[position]
        at = min(invoice.created + int(random.random() * 9 * DAY_S) + 90, world.history_end - 1)
        customer = world.table(CONTACTS).records[invoice.contact_id]
        note = _new(world, customer, _returned(world, random, invoice), index=index + 1, at=at)
        note.exchange_rate, note.location, note.invoice_id = invoice.exchange_rate, invoice.location, invoice.id
        note.salesperson = invoice.salesperson
        note.notes = random.choice(vocabulary.NOTES)
        fate = FATES[index] if index < len(FATES) else random.choices(FATES, FATE_WEIGHTS)[0]
        fate = "both" if index >= max(len(FATES), count - 2) else fate  # the newest show everything
        _come_about(world, random, note, invoice, fate)
        note.modified = history.later(random, at, end=world.history_end, share=0.2)
        customer.documents += 1
        customer.unused += note.owed
        yield note


def _come_about(world: World, random: Random, note: CreditNote, invoice: Invoice, fate: str) -> None:
    share = note.currency.rounded(note.total / 2) if fate == "both" else note.total
    if fate in ("void", "draft"):
        note.status = fate
    if fate in ("applied", "both") and min(share, invoice.balance) > 0:
        receivables.apply_once(world, note, invoice, min(share, invoice.balance))
    if fate in ("refunded", "both") and note.balance > 0:
        given = {"refund_mode": random.choice(MODES)}
        note.refunds = (new_refund(world, given, note.date, min(share, note.balance)),)
    note.settle()


# -- changes


SETTERS: dict[str, fields.Setter] = {
    **trade.SETTERS,
    "creditnote_number": ("number", fields.text),
    "shipping_charge": ("shipping", decimal),
}
SPECIAL = ("customer_id", "invoice_id", "line_items", "invoices_credited", "creditnote_refunds")
COMPUTED = trade.COMPUTED | {
    "creditnote_id",
    "customer_name",
    "balance",
    "total_credits_used",
    "total_refunded_amount",
}
SHAPES = ("creditnote_row", "creditnote_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES, special=SPECIAL)


def _wanted(world: World, note: CreditNote, given: Fields) -> dict[str, Decimal]:
    """invoice_id -> amount, as given or as it stands."""
    if "invoices_credited" not in given:
        return receivables.taken_of(note)
    return receivables.wanted(world, note, given["invoices_credited"], amount="credited_amount", most=note.balance)


def _refunds(world: World, note: CreditNote, given: Fields) -> tuple[Refund, ...]:
    """As given, or as they stand; one with a known creditnote_refund_id keeps it."""
    if "creditnote_refunds" not in given:
        return note.refunds
    wanted = given["creditnote_refunds"]
    return given_refunds(world, note.refunds, wanted, key="creditnote_refund_id", rest=note.balance)


def create(world: World, random: Random, given: Fields) -> CreditNote:
    """A new credit note: for the given invoice, of the given customer, or for goods of a random invoice."""
    plain, origin = FIELDS.check(given), _origin(world, random, given)
    wished = str(given.get("customer_id", origin.contact_id if origin else ""))
    customer = contacts.somebody(world, random, "customer", wished)
    if "line_items" in given:
        lines = line_items.given_lines(world, customer.currency, given["line_items"])
    elif origin is not None:
        lines = _returned(world, random, origin)
    else:
        lines = line_items.random_lines(world, random, line_items.sellable(world), customer.currency, 1)
    number = trade.unused_number(world, CREDITNOTES, random, digits=4)
    note = _new(world, customer, lines, index=number, at=world.seconds())
    if origin is not None:
        note.invoice_id, note.location, note.exchange_rate = origin.id, origin.location, origin.exchange_rate
    FIELDS.assign(note, plain)
    note.add_up()
    applied, refunds = _wanted(world, note, given), _refunds(world, note, given)
    _refuse_overdrawn(note, applied, refunds, note.status)
    world.born(CREDITNOTES, note)
    contacts.post(world, customer.id, "documents", 1)
    receivables.apply(world, note, applied)
    note.refunds = refunds
    note.settle()
    postings.post(world, note, 1)
    return note


def _origin(world: World, random: Random, given: Fields) -> Invoice | None:
    invoices = world.table(INVOICES).records
    if "invoice_id" in given:
        found = invoices.get(str(given["invoice_id"]))
        if found is None or not found.posted:
            raise Refused("no such invoice")
        return found
    if "customer_id" in given:
        return None
    return pick(invoices.values(), random, lambda invoice: invoice.posted and invoice.sub_total > 0)


def _refuse_overdrawn(note: CreditNote, applied: dict[str, Decimal], refunds: tuple[Refund, ...], status: str) -> None:
    spent = sum(applied.values(), ZERO) + refunded(refunds)
    if spent > note.total:
        raise Refused("more credited than the credit note is worth")
    if spent and status in UNPOSTED:
        raise Refused("a credit note in use cannot become a draft or void")


def edit(world: World, note: CreditNote, given: Fields, version: bool) -> None:
    """Set fields, or say anew what it covers (`invoices_credited`) and what was paid back (`creditnote_refunds`)."""
    plain = FIELDS.check(given)
    fields.keep(given, "customer_id", note.contact_id, "a credit note keeps its customer")
    planned = note.snapshot()
    planned.lines = trade.lines_of(world, note, given)
    FIELDS.assign(planned, plain)
    planned.add_up()
    applied, refunds = _wanted(world, note, given), _refunds(world, note, given)
    _refuse_overdrawn(planned, applied, refunds, planned.status)
    postings.post(world, note, -1)
    with world.editing(CREDITNOTES, note, version=version):
        note.lines = planned.lines
        FIELDS.assign(note, plain)
        note.add_up()
        receivables.apply(world, note, applied)
        note.refunds = refunds
        note.settle()
    postings.post(world, note, 1)


def random_edit(world: World, note: CreditNote, random: Random) -> Fields:
    """What staff change: the rest is applied to an open invoice or paid back."""
    choices: list[Callable[[], Fields]] = [
        lambda: {"notes": vocabulary.remark(random)},
        lambda: {"reference_number": f"RMA-{random.randrange(10**4):04d}"},
    ]
    if note.posted and note.balance > 0:
        choices += [lambda: _applied_more(world, note, random), lambda: _refunded_more(note, random)]
    if note.posted and not note.applied and not note.refunds:
        choices.append(lambda: {"status": "void"})
    return random.choice(choices)()


def _applied_more(world: World, note: CreditNote, random: Random) -> Fields:
    held: list[Json] = [
        {"invoice_id": entry.invoice_id, "credited_amount": str(entry.amount)} for entry in note.applied
    ]
    taken = {entry.invoice_id for entry in note.applied}
    invoice = pick(
        world.table(INVOICES).records.values(),
        random,
        lambda found: found.contact_id == note.contact_id and found.owed > 0 and found.id not in taken,
    )
    return {"invoices_credited": [*held, {"invoice_id": invoice.id}]} if invoice else _refunded_more(note, random)


def _refunded_more(note: CreditNote, random: Random) -> Fields:
    held: list[Any] = [{"creditnote_refund_id": refund.refund_id} for refund in note.refunds]
    return {"creditnote_refunds": [*held, {"refund_mode": random.choice(MODES)}]}


def delete(world: World, note: CreditNote) -> None:
    """Its invoices are open again, with new versions."""
    postings.post(world, note, -1)
    world.bury(CREDITNOTES, note)
    receivables.apply(world, note, {})
    contacts.post(world, note.contact_id, "documents", -1)


STATUSES = ("Draft", "Open", "Closed", "Void", "PendingApproval")


CREDITNOTES: EntitySpec[CreditNote] = EntitySpec(
    name="creditnotes",
    label="Credit Note",
    path="creditnotes",
    list_key="creditnotes",
    detail_key="creditnote",
    id_key="creditnote_id",
    id_base=2_646_610_006_000_000_000,
    scopes={"books": "ZohoBooks.creditnotes.READ", "inventory": "ZohoInventory.creditnotes.READ"},
    listing=Listing(
        report_name="Credit Notes",
        applied_filter="Status.All",
        sort_column="created_time",
        sort_order="D",
        sort_keys={
            **trade.SORT_KEYS,
            "last_modified_time": lambda note: note.modified,
            "creditnote_number": lambda note: note.number,
            "balance": lambda note: note.balance,
        },
        filters=trade.filters("creditnote_number", "customer_id", STATUSES),
        filters_by_modified=lambda world: True,
    ),
    views=(View(name="credit_notes", shows=lambda note: True, sizes={"small": 12, "demo": 1000, "tsh": 900}),),
    chosen_fields=("creditnote_id", "creditnote_number", "status", "total", "balance"),
    row=creditnote_documents.row,
    document=creditnote_documents.document,
    totals=postings.totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda note: True,
    below={
        "invoices": Below(key="invoices_credited", values=creditnote_documents.invoices),
        "refunds": Below(key="creditnote_refunds", values=creditnote_documents.refunds),
    },
    beside={
        "refunds": Below(
            key="creditnote_refunds",
            values=lambda world, query, product: creditnote_documents.all_refunds(world, product),
            paged=lambda world: True,
            context={"report_name": "Credit Notes Refund", "sort_column": "date", "sort_order": "D"},
        )
    },
)
