"""Bills of vendors: they bring stock, and what is owed follows them without moving the vendor's version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import ClassVar, NamedTuple

from cli.local.zoho_simulator import fields, history, vocabulary
from cli.local.zoho_simulator.clock import days_after, zoho_date
from cli.local.zoho_simulator.entities import bill_documents, contacts, line_items, postings, purchases, trade
from cli.local.zoho_simulator.entities.contacts import Account, Contact
from cli.local.zoho_simulator.entities.postings import UNPOSTED, Debt
from cli.local.zoho_simulator.money import ZERO, decimal
from cli.local.zoho_simulator.records import Below, EntitySpec, Fields, Listing, Refused, View, date_filters
from cli.local.zoho_simulator.world import World

PAYMENT_ID_BASE = 2_646_610_025_000_000_000
BILL_PAYMENT_ID_BASE = 2_646_610_026_000_000_000
ODD = {2: "draft", 5: "void", 7: "pending_approval"}  # the smallest organisation too has them
MODES = ("Bank Transfer", "banktransfer", "Cash", "حوالة")


class BillPayment(NamedTuple):
    """Money paid to a vendor for one bill, in its currency."""

    payment_id: str
    bill_payment_id: str
    date: str
    amount: Decimal
    mode: str
    reference: str = ""


@dataclass(slots=True, kw_only=True)
class Bill(Debt):
    """A bill in its vendor's currency."""

    brings: ClassVar[int] = 1
    account: ClassVar[Account] = "payable"

    payments: tuple[BillPayment, ...] = ()

    @property
    def paid(self) -> Decimal:
        """What was paid for it."""
        return sum((payment.amount for payment in self.payments), ZERO)

    @property
    def settled(self) -> Decimal:
        """What payments have taken of it."""
        return self.paid

    def settle(self, today: str) -> None:
        """Give an open bill the status that its payments and its due date mean."""
        if self.posted:
            self.status = self.settled_status(today) or "open"


def _new(world: World, random: Random, vendor: Contact, *, index: int, at: int) -> Bill:
    number = f"{random.choice(('INV', 'PI', 'SZ'))}-{index:05d}"
    due_date = days_after(zoho_date(at), vendor.terms)
    return purchases.begin(Bill, world, random, BILLS, vendor, at=at, number=number, due_date=due_date)


def _payment(world: World, random: Random, day: str, amount: Decimal) -> BillPayment:
    return BillPayment(
        payment_id=world.counter("bill payments", PAYMENT_ID_BASE),
        bill_payment_id=world.counter("bill applications", BILL_PAYMENT_ID_BASE),
        date=day,
        amount=amount,
        mode=random.choice(MODES),
    )


def generate(world: World, random: Random) -> Iterator[Bill]:
    """Nearly all are paid, at once or in parts; the last months' wait."""
    count = purchases.possible(world, "bills")
    for index, (created, vendor) in enumerate(purchases.occasions(world, random, count)):
        bill = _new(world, random, vendor, index=index + 1, at=created)
        bill.status = ODD.get(index, "void" if random.random() < 0.005 else bill.status)
        bill.modified = history.later(random, created, end=world.history_end, share=0.6)
        if bill.posted and random.random() < 0.95 * (1 - (index / count) ** 30):
            part = random.random() < 0.01 or index == 4
            amount = bill.currency.rounded(bill.total * Decimal("0.4")) if part else bill.total
            bill.payments = (_payment(world, random, zoho_date(bill.modified), amount),) if amount else ()
        bill.settle(world.base_date.isoformat())
        vendor.documents += 1
        vendor.payable += bill.owed
        yield bill


# -- changes


SETTERS: dict[str, fields.Setter] = {
    **trade.SETTERS,
    "bill_number": ("number", fields.text),
    "due_date": ("due_date", fields.text),
}
SPECIAL = ("vendor_id", "line_items", "payments")
COMPUTED = trade.COMPUTED | {"bill_id", "vendor_name", "balance", "balance_due", "payment_made"}
SHAPES = ("bill_row", "bill_document")
FIELDS = fields.Settable(setters=SETTERS, computed=COMPUTED, shapes=SHAPES, special=SPECIAL)


def _paid(world: World, random: Random, bill: Bill, given: Fields) -> tuple[BillPayment, ...]:
    """As given, or as they stand; one with a known payment_id keeps it."""
    if "payments" not in given:
        return bill.payments
    held, paid = {payment.payment_id: payment for payment in bill.payments}, []
    for entry in given["payments"]:
        known = held.get(str(entry.get("payment_id", "")))
        amount = decimal(entry.get("amount", known.amount if known else bill.balance))
        if amount <= 0:
            raise Refused("a payment needs an amount")
        fresh = known or _payment(world, random, world.today().isoformat(), amount)
        paid.append(fresh._replace(amount=amount))
    return tuple(paid)


def create(world: World, random: Random, given: Fields) -> Bill:
    """A new bill of a random or given vendor; it brings stock unless its status is draft."""
    plain = FIELDS.check(given)
    vendor = contacts.somebody(world, random, "vendor", str(given.get("vendor_id", "")))
    number = trade.unused_number(world, BILLS, random, digits=4)
    bill = _new(world, random, vendor, index=number, at=world.seconds())
    _set(world, bill, given, plain, _paid(world, random, bill, given))
    world.born(BILLS, bill)
    contacts.post(world, vendor.id, "documents", 1)
    postings.post(world, bill, 1)
    return bill


def _set(world: World, bill: Bill, given: Fields, plain: Fields, paid: tuple[BillPayment, ...]) -> None:
    bill.lines = trade.lines_of(world, bill, given, priced=purchases.cost)
    FIELDS.assign(bill, plain)
    bill.payments = paid
    bill.add_up()
    if bill.paid > bill.total:
        raise Refused("more paid than the bill is worth")
    if bill.paid and not bill.posted:
        raise Refused("a bill with payments cannot become a draft or void")
    bill.settle(world.today().isoformat())


def edit(world: World, bill: Bill, given: Fields, version: bool) -> None:
    """Set fields, lines, or what was paid (`payments`)."""
    plain = FIELDS.check(given)
    fields.keep(given, "vendor_id", bill.contact_id, "a bill keeps its vendor")
    planned = bill.snapshot()
    _set(world, planned, given, plain, _paid(world, world.random(f"paid/{bill.id}"), bill, given))
    postings.post(world, bill, -1)
    with world.editing(BILLS, bill, version=version):
        bill.lines, bill.payments = planned.lines, planned.payments
        FIELDS.assign(bill, plain)
        bill.add_up()
        bill.settle(world.today().isoformat())
    postings.post(world, bill, 1)


def random_edit(world: World, bill: Bill, random: Random) -> Fields:
    """What staff change: open bills are paid."""
    choices: list[Callable[[], Fields]] = [
        lambda: {"notes": vocabulary.remark(random)},
        lambda: {"reference_number": f"CTN-{random.randrange(10**4)}"},
    ]
    if bill.owed > 0:
        held = [{"payment_id": payment.payment_id} for payment in bill.payments]
        choices += [lambda: {"payments": [*held, {"amount": str(bill.balance)}]}] * 2
    if not bill.payments:
        choices.append(lambda: {"line_items": line_items.wanted_lines(world, random)})
        choices.append(lambda: {"status": "open" if bill.status in UNPOSTED else "void"})
    return random.choice(choices)()


def delete(world: World, bill: Bill) -> None:
    """A bill that was paid stays."""
    if bill.payments:
        raise Refused("a bill with payments cannot be deleted")
    postings.post(world, bill, -1)
    contacts.post(world, bill.contact_id, "documents", -1)
    world.bury(BILLS, bill)


STATUSES = ("PartiallyPaid", "Paid", "Overdue", "Void", "Open", "Draft", "PendingApproval")


BILLS: EntitySpec[Bill] = EntitySpec(
    name="bills",
    label="Bill",
    path="bills",
    list_key="bills",
    detail_key="bill",
    id_key="bill_id",
    id_base=2_646_610_007_000_000_000,
    scopes={"books": "ZohoBooks.bills.READ", "inventory": "ZohoInventory.bills.READ"},
    listing=Listing(
        report_name="Bills",
        applied_filter="Status.All",
        sort_column="created_time",
        sort_order="D",
        sort_keys={
            **trade.SORT_KEYS,
            "last_modified_time": lambda bill: bill.modified,
            "due_date": lambda bill: bill.due_date,
            "bill_number": lambda bill: bill.number,
            "balance": lambda bill: bill.balance,
        },
        filters={
            **trade.filters("bill_number", "vendor_id", STATUSES),
            **date_filters("due_date", lambda bill: bill.due_date),
            **date_filters("created_date", lambda bill: zoho_date(bill.created)),
        },
        filters_by_modified=lambda world: True,
        inventory_filters=False,
    ),
    views=(View(name="bills", shows=lambda bill: True, sizes={"small": 14, "demo": 1000, "tsh": 2400}),),
    chosen_fields=("bill_id", "bill_number", "status", "total", "balance"),
    row=bill_documents.row,
    document=bill_documents.document,
    totals=postings.totals,
    generate=generate,
    create=create,
    edit=edit,
    random_edit=random_edit,
    delete=delete,
    may_delete=lambda bill: not bill.payments,
    below={"payments": Below(key="payments", values=bill_documents.payments)},
    age=lambda world, today: postings.age(world, BILLS, today),
)
