"""Small charts of the last hours: bars as geometry, drawn by the template as SVG."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 480.0, 96.0
_GAP = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One hour's bar; `label` is its hour, "" where none is written."""

    x: float
    y: float
    width: float
    height: float
    label: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Bars from the oldest hour to this one, and the words for who cannot see them."""

    bars: Sequence[Bar]
    top: str
    alternative: str
    is_empty: bool


def chart(
    hours: Sequence[Mapping[str, Any]],
    name: str,
    *,
    shown: Callable[[float], str],
    hour: Callable[[str], str],
    alternative: Callable[[str, str], str],
) -> Chart:
    """The bars of one figure of the hours; `alternative` makes the words of the highest and the last value."""
    values = [float(one[name] or 0) for one in hours]
    top = max(values, default=0.0)
    step = WIDTH / max(len(values), 1)
    bars = [
        Bar(
            x=round(place * step, 1),
            y=round(HEIGHT - _height(value, top), 1),
            width=round(step - _GAP, 1),
            height=round(_height(value, top), 1),
            label=hour(one["at"]) if place % 6 == 0 else "",
            title=f"{hour(one['at'])}: {shown(value)}",
        )
        for place, (one, value) in enumerate(zip(hours, values, strict=True))
    ]
    last = shown(values[-1]) if values else shown(0)
    return Chart(bars=bars, top=shown(top), alternative=alternative(shown(top), last), is_empty=top == 0)


def _height(value: float, top: float) -> float:
    """At least a hair's breadth for what is not nothing."""
    return max(HEIGHT * value / top, 1.5) if value else 0.0
