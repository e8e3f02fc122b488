"""Small documents and list rows as Zoho states them, for tests of the mirror."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tds_core.database.ordering import Clock, Moment

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
Json = dict[str, Any]


def fetched(seconds: float = 0) -> Moment:
    """A moment on PostgreSQL's clock, in seconds from noon."""
    return Moment(at=NOON + timedelta(seconds=seconds), clock=Clock.FETCH)


def received(seconds: float = 0) -> Moment:
    """A moment on the receiver's clock."""
    return Moment(at=NOON + timedelta(seconds=seconds), clock=Clock.WEBHOOK)


def version(seconds: float) -> str:
    """A version in seconds from noon, as Zoho writes it."""
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S+0000")


def invoice(number: int, modified: float = 0, **fields: Any) -> Json:
    """A full invoice document."""
    return {
        **invoice_row(number, modified),
        "sub_total": 10,
        "line_items": [],
        "notes": "thanks",
        **fields,
    }


def invoice_row(number: int, modified: float = 0, **fields: Any) -> Json:
    """An invoice as its list shows it."""
    return {
        "invoice_id": str(number),
        "invoice_number": f"INV-{number}",
        "customer_id": "7",
        "date": "2026-01-02",
        "status": "sent",
        "currency_code": "IQD",
        "total": 10,
        "balance": 10,
        "last_modified_time": version(modified),
        **fields,
    }


def payment(number: int, updated: float = 0, applied: dict[str, int] | None = None, **fields: Any) -> Json:
    """A full payment document; `applied` says how much of it went to which invoice."""
    return {
        "payment_id": str(number),
        "customer_id": "7",
        "date": "2026-01-02",
        "amount": 10,
        "unused_amount": 0,
        "currency_code": "IQD",
        "updated_time": version(updated),
        "invoices": [
            {"invoice_payment_id": f"9{invoice_id}", "invoice_id": invoice_id, "amount_applied": amount}
            for invoice_id, amount in (applied or {}).items()
        ],
        **fields,
    }


def product(number: int, modified: float = 0, **fields: Any) -> Json:
    """A full item document, without the stock of its locations."""
    return {
        "item_id": str(number),
        "name": f"Item {number}",
        "status": "active",
        "unit": "pcs",
        "rate": 1,
        "purchase_rate": 1,
        "pricebook_rate": 1,
        "last_modified_time": version(modified),
        **fields,
    }
