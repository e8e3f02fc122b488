"""How an entity's columns are read from Zoho's documents, as plain JSON, so that a changed mapping shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BeforeValidator

from tds_core.entities.model import DetailOnly, Element, ListOnly
from tds_core.entities.spec import ChildTable, EntitySpec
from tds_core.lossless_json import JsonObject

_MARKS = (DetailOnly, ListOnly)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remapping:
    """What is read otherwise than before; `in_lists` if list rows are, too."""

    columns: frozenset[str]
    children: frozenset[str]
    in_lists: bool


def described(spec: EntitySpec) -> JsonObject:
    """The entity's mapping: of each column Zoho's keys, its type and how it is read, and what is left out of hashes."""
    return {
        "columns": _columns(spec.model),
        "children": {child.table: _child(child) for child in spec.children},
        "volatile": sorted(spec.volatile),
    }


def remapping(spec: EntitySpec, known: Mapping[str, Any]) -> Remapping:
    """What the code reads otherwise than a mapping that was known; what it reads no more leaves its column alone."""
    now = described(spec)
    columns, children = (_changed(known[part], now[part]) for part in ("columns", "children"))
    detail = DetailOnly.__name__
    in_lists = any(detail not in {**known["columns"], **now["columns"]}[name] for name in columns)
    return Remapping(
        columns=frozenset(columns & now["columns"].keys()),
        children=frozenset(children & now["children"].keys()),
        in_lists=in_lists,
    )


def _changed(known: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    return {name for name in known.keys() | now.keys() if known.get(name) != now.get(name)}


def _columns(model: type[Element]) -> dict[str, list[str]]:
    return {
        name: [*model.source_keys(name), str(info.annotation), *filter(None, map(_told, info.metadata))]
        for name, info in model.model_fields.items()
    }


def _told(item: Any) -> str:
    if isinstance(item, BeforeValidator):
        return item.func.__qualname__
    return type(item).__name__ if isinstance(item, _MARKS) else ""


def _child(child: ChildTable) -> JsonObject:
    return {
        "columns": _columns(child.model),
        "source_keys": list(child.source_keys),
        "key": child.key,
        "part": child.part,
        "added": list(child.added),
        "none_where": list(child.none_where or ()),
    }
