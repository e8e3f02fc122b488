"""Values as JSON can hold them: what a function answers with."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any


def plain(value: Any) -> Any:
    """Dataclasses become objects, times ISO 8601, and what JSON does not know (Decimal) its text."""
    return _plain(value, number=str)


def exact(value: Any) -> Any:
    """The same for a writer that knows Decimals: they stay what they are, with every digit."""
    return _plain(value, number=lambda amount: amount)


def _plain(value: Any, *, number: Callable[[Decimal], Any]) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value), number=number)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, number=number) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, number=number) for item in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return number(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
