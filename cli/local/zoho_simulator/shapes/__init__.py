"""The keys of Zoho's answers in Zoho's order, each with the value it has when nothing is known."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

Shape = dict[str, Any]


@cache
def shape(name: str) -> Shape:
    """The shape stored as `<name>.json`; callers spread it into a new dict and never change it."""
    loaded: Shape = json.loads((Path(__file__).parent / f"{name}.json").read_text("utf-8"))
    return loaded


def names() -> list[str]:
    """Every shape there is."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.json"))
