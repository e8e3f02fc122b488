"""What lies under /settings and /organizations: taxes, currencies and, where the quirk says so, roles."""

from __future__ import annotations

from collections.abc import Mapping

from cli.local.zoho_simulator.answers import Answer, refusal, success
from cli.local.zoho_simulator.entities.users import ROLES
from cli.local.zoho_simulator.money import BASE, CURRENCIES, number
from cli.local.zoho_simulator.records import Json, Product
from cli.local.zoho_simulator.world import World, encode

SCOPE: Mapping[Product, str] = {"books": "ZohoBooks.settings.READ", "inventory": "ZohoInventory.settings.READ"}


def paged(key: str, rows: list[Json], page: int, per_page: int, context: Json) -> Answer:
    """One page of rows that are no records."""
    start = (page - 1) * per_page
    more = start + per_page < len(rows)
    body = {
        "code": 0,
        "message": "success",
        key: rows[start : start + per_page],
        "page_context": {"page": page, "per_page": per_page, "has_more_page": more, **context},
    }
    return Answer(body=encode(body))


def _currencies() -> list[Json]:
    return [
        {
            "currency_id": currency.currency_id,
            "currency_code": currency.code,
            "currency_name": currency.name,
            "currency_name_formatted": currency.formatted,
            "currency_symbol": currency.symbol,
            "price_precision": currency.precision,
            "currency_format": "1,234,567" + (".89" if currency.precision else ""),
            "is_base_currency": currency is BASE,
            "exchange_rate": 0.0 if currency is BASE else number(currency.rate),
            "effective_date": "" if currency is BASE else "2021-03-14",
            "auto_exchange_rate_enabled": False,
        }
        for currency in CURRENCIES.values()
    ]


def _roles() -> list[Json]:
    return [{"role_id": role_id, "role_name": name, "description": ""} for name, role_id in ROLES.items()]


def _of_list(world: World, name: str, page: int, per_page: int) -> Answer:
    if name == "taxes":
        today = world.today().isoformat()
        context = {
            "report_name": "Taxes",
            "applied_filter": "Taxes.Active",
            "as_of_date": today,
            "to_date": today,
            "sort_column": "tax_name",
            "sort_order": "A",
        }
        return paged("taxes", [], page, per_page, context)
    if name == "currencies":
        return paged("currencies", _currencies(), page, per_page, {"report_name": "Currencies"})
    if name == "roles" and world.options.quirks.roles_endpoint:
        return success("roles", encode(_roles()))
    return refusal(5)


def settings(world: World, product: Product, path: str, page: int, per_page: int) -> Answer:
    """The answer to GET /settings/..."""
    if SCOPE[product] not in world.scopes:
        return refusal(57)
    name, _, wanted = path.partition("/")
    if not wanted:
        return _of_list(world, name, page, per_page)
    if name == "currencies":
        found = next((shown for shown in _currencies() if shown["currency_id"] == wanted), None)
        return success("currency", encode(found)) if found else refusal(1002, "Currency")
    if name == "roles" and world.options.quirks.roles_endpoint:
        found = next((shown for shown in _roles() if shown["role_id"] == wanted), None)
        return success("role", encode(found)) if found else refusal(1002, "Role")
    return refusal(1002, "Tax") if name == "taxes" else refusal(5)
