"""The organisation as Zoho states it: its zone ends Zoho's day, its currency is the base of all amounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from tds_core.zoho.budget import Executor

_REMEMBER = """
    INSERT INTO tds.organization (organization_id, name, time_zone, currency_code, price_precision,
        fiscal_year_start_month, plan_name, observed_at)
    VALUES (%s, %s, (SELECT name FROM pg_timezone_names WHERE name = %s), %s, %s, %s, %s, %s)
    ON CONFLICT (organization_id) DO UPDATE SET name = EXCLUDED.name, time_zone = EXCLUDED.time_zone,
        currency_code = EXCLUDED.currency_code, price_precision = EXCLUDED.price_precision,
        fiscal_year_start_month = EXCLUDED.fiscal_year_start_month, plan_name = EXCLUDED.plan_name,
        observed_at = EXCLUDED.observed_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """What this product uses of Zoho's organisation; None is what Zoho left empty."""

    organization_id: str
    name: str | None
    time_zone: str | None
    currency_code: str | None
    price_precision: int | None
    fiscal_year_start_month: str | None
    plan_name: str | None
    observed_at: datetime

    @classmethod
    def parse(cls, record: Mapping[str, Any], *, observed_at: datetime) -> Self:
        """Read one element of /organizations; the month comes as a number or a name, so it stays text."""
        precision = _text(record.get("price_precision"))
        return cls(
            organization_id=str(record["organization_id"]),
            name=_text(record.get("name")),
            time_zone=_text(record.get("time_zone")),
            currency_code=_text(record.get("currency_code")),
            price_precision=int(precision) if precision and precision.isdecimal() and len(precision) < 3 else None,
            fiscal_year_start_month=_text(record.get("fiscal_year_start_month")),
            plan_name=_text(record.get("plan_name")),
            observed_at=observed_at,
        )


def remember(database: Executor, organization: Organization) -> None:
    """Keep it for everybody; a zone that PostgreSQL does not know is kept as unknown."""
    database.execute(
        _REMEMBER,
        (
            organization.organization_id,
            organization.name,
            organization.time_zone,
            organization.currency_code,
            organization.price_precision,
            organization.fiscal_year_start_month,
            organization.plan_name,
            organization.observed_at,
        ),
    )


def _text(value: Any) -> str | None:
    return None if value in (None, "") or isinstance(value, dict | list) else str(value)
