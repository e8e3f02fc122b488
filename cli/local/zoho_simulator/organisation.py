"""The organisation itself: its id, its locations and its staff, as /organizations and /locations show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from cli.local.zoho_simulator.clock import ZONE_NAME
from cli.local.zoho_simulator.money import BASE
from cli.local.zoho_simulator.records import Json, Product
from cli.local.zoho_simulator.shapes import shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place that holds stock."""

    location_id: str
    name: str
    city: str
    is_primary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Somebody who enters documents."""

    user_id: str
    name: str


LOCATIONS = (
    Location(location_id="2646610000000054001", name="المخزن الرئيسي", city="بغداد", is_primary=True),
    Location(location_id="2646610000000054019", name="معرض الجملة", city="بغداد", is_primary=False),
    Location(location_id="2646610000000054037", name="معرض المفرد", city="بغداد", is_primary=False),
    Location(location_id="2646610000000054053", name="Dora Warehouse", city="Baghdad", is_primary=False),
    Location(location_id="2646610000000054071", name="بضاعة تالفة", city="بغداد", is_primary=False),
)
STAFF = (
    Staff(user_id="2646610000000061001", name="مدير الحسابات"),
    Staff(user_id="2646610000000061007", name="sales desk"),
    Staff(user_id="2646610000000061011", name="موظف المبيعات"),
)


def staff(position: int) -> Staff | None:
    """Who sold a document; the position after the last is nobody's."""
    return STAFF[position] if position < len(STAFF) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One Zoho organisation, the same in Books and Inventory."""

    seed: int
    opened: date

    @property
    def organization_id(self) -> str:
        """Eleven digits, as Zoho's."""
        return str(60_000_000_000 + self.seed * 7_919 % 1_000_000_000)

    def document(self, product: Product) -> Json:
        """One element of /organizations."""
        known = {
            "organization_id": self.organization_id,
            "name": "Simulated Trading Company",
            "org_alias_name": "Simulated Trading Company",
            "contact_name": STAFF[0].name,
            "email": "accounts@example.com",
            "is_default_org": True,
            "language_code": "en",
            "fiscal_year_start_month": "january" if product == "books" else 1,
            "account_created_date": "2021-03-14",
            "time_zone": ZONE_NAME,
            "date_format": "dd MMM yyyy",
            "field_separator": " ",
            "currency_id": BASE.currency_id,
            "currency_code": BASE.code,
            "currency_symbol": BASE.symbol,
            "currency_format": "###,##0.000",
            "price_precision": BASE.precision,
            "country": "Iraq",
            "country_code": "IQ",
            "country_name": "Iraq",
            "plan_name": "PREMIUM",
            "plan_period": "Yearly",
            "is_org_active": True,
            "isOrgActive": True,
            "mode": "live",
            "org_settings": {"is_org_active": True} if product == "books" else True,
        }
        base = shape(f"{product}_organization")
        return {**base, **{name: value for name, value in known.items() if name in base}}
