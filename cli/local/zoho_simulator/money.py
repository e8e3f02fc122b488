"""Exact amounts inside, JSON numbers outside."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Currency:
    """A currency of the organisation; `rate` is Zoho's own rate to the base currency."""

    code: str
    currency_id: str
    symbol: str
    name: str
    precision: int
    rate: Decimal

    @property
    def formatted(self) -> str:
        """The name as Zoho writes it: `USD- US Dollar`."""
        return f"{self.code}- {self.name}"

    def rounded(self, amount: Decimal) -> Decimal:
        """The amount at the currency's precision."""
        return amount.quantize(Decimal(1).scaleb(-self.precision), ROUND_HALF_UP)

    def to_base(self, amount: Decimal) -> Decimal:
        """The amount in the base currency, at two decimals as Zoho's bcy_ fields."""
        return (amount * self.rate).quantize(Decimal("0.01"), ROUND_HALF_UP)

    def text(self, amount: Decimal) -> str:
        """The amount as Zoho writes it for people."""
        return f"{self.symbol}{amount:,.{self.precision}f}"


USD = Currency(
    code="USD", currency_id="2646610000000000097", symbol="$", name="US Dollar", precision=3, rate=Decimal(1)
)
IQD = Currency(
    code="IQD", currency_id="2646610000000000109", symbol="IQD", name="Iraqi Dinar", precision=0, rate=Decimal("0.0007")
)
RMB = Currency(
    code="RMB", currency_id="2646610000000000113", symbol="¥", name="Chinese Yuan", precision=2, rate=Decimal("0.14")
)
CURRENCIES = {currency.code: currency for currency in (USD, IQD, RMB)}
BASE = USD


def currency(value: object) -> Currency:
    """The currency with this code; raises ValueError."""
    code = str(value)
    if code not in CURRENCIES:
        raise ValueError(f"unknown currency {code}")
    return CURRENCIES[code]


def converted(amount: Decimal, currency: Currency) -> Decimal:
    """An amount in the base currency as a trader writes it in another, rounded as traders round."""
    if currency is IQD:
        return max(Decimal(250), (amount * 1310 / 250).quantize(Decimal(1), ROUND_HALF_UP) * 250)
    if currency is RMB:
        return (amount * Decimal("7.1")).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return amount


@lru_cache(1 << 16)
def number(amount: Decimal) -> float:
    """A JSON number that is written with a decimal point and carries the very digits of the amount."""
    value = float(amount) + 0.0  # never -0.0
    if Decimal(repr(value)) != amount:
        raise ValueError(f"{amount} does not survive as a JSON number")
    return value


def decimal(value: object) -> Decimal:
    """The exact amount of what a caller of the control interface gave."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        raise TypeError(f"not an amount: {value!r}")
    try:
        amount = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    except ArithmeticError as exc:
        raise ValueError(f"not an amount: {value!r}") from exc
    if not amount.is_finite():
        raise ValueError(f"not an amount: {value!r}")
    return amount


@lru_cache(1 << 12)
def plain(amount: Decimal) -> str:
    """The amount without exponent or trailing zeros, as the truth is told."""
    text = format(amount.normalize(), "f")
    return "0" if text in ("-0", "") else text
