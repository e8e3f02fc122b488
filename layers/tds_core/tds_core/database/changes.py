"""What a write changes of a record, from what to what: plain values, lists by their elements, child rows by key."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from tds_core import lossless_json
from tds_core.lossless_json import JsonObject

LIMIT_BYTES = 8_192
# Zoho's names of an element's own id; the first one counts that tells a list's elements apart
_IDENTITIES = (
    "line_item_id",
    "contact_person_id",
    "customfield_id",
    "package_id",
    "payment_id",
    "vendor_credit_id",
    "tax_id",
    "user_id",
)
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def plain(before: Mapping[str, Any], after: Mapping[str, Any], columns: Set[str]) -> dict[str, list[Any]]:
    """Both values of each of these columns that is written and differs."""
    return {name: [before[name], new] for name, new in after.items() if name in columns and before[name] != new}


def nested(before: Any, after: Any, *, volatile: frozenset[str]) -> Any:
    """How two JSON values differ, without volatile keys; None if only in these.

    Lists are told by their elements: {"added": [...], "removed": [...], "changed": {id: {key: [old, new]}},
    "reordered": true}, each only where there is such a thing; objects by their keys: {key: [old, new]}.
    """
    old, new = _without(before, volatile), _without(after, volatile)
    if isinstance(old, dict) and isinstance(new, dict):
        return _keys(old, new) or None
    if isinstance(old, list | None) and isinstance(new, list | None):
        return elements(old or [], new or []) or None
    return None if old == new else [old, new]


def elements(before: Sequence[Any], after: Sequence[Any], *, key: str | None = None) -> dict[str, Any]:
    """The elements that came, went and changed; by `key` or their own id, else by their whole content."""
    identity = key or next((name for name in _IDENTITIES if all(_tells(name, part) for part in (before, after))), None)
    old, new = _named(before, identity), _named(after, identity)
    account = {
        "added": [_filled(new[name]) for name in new if name not in old],
        "removed": [_filled(old[name]) for name in old if name not in new],
        "changed": {name: _keys(old[name], new[name]) for name in old if name in new and old[name] != new[name]},
        "reordered": [name for name in old if name in new] != [name for name in new if name in old],
    }
    return {what: found for what, found in account.items() if found}


def bounded(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The account, of at most `LIMIT_BYTES` as JSON: of the columns with the longest ones only their size is left."""
    whole = lossless_json.dumps(changes)
    if len(whole) * 4 <= LIMIT_BYTES or (size := len(whole.encode())) <= LIMIT_BYTES:
        return changes
    kept = dict(changes)
    sizes = {name: len(lossless_json.dumps(value).encode()) for name, value in changes.items()}
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        kept[name] = {"cut_bytes": sizes[name]}
        size -= sizes[name] - len(lossless_json.dumps(kept[name]))
        if size <= LIMIT_BYTES:
            break
    return kept


def _keys(old: Any, new: Any) -> Any:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [old, new]
    names = dict.fromkeys((*old, *new))
    return {name: [old.get(name), new.get(name)] for name in names if old.get(name) != new.get(name)}


def _named(part: Iterable[Any], identity: str | None) -> dict[str, Any]:
    if identity:
        return {str(element[identity]): element for element in part}
    seen: Counter[str] = Counter()
    named: dict[str, Any] = {}
    for element in part:
        content = lossless_json.digest(element).hex()
        named[f"{content} {seen[content]}"] = element
        seen[content] += 1
    return named


def _tells(name: str, part: Sequence[Any]) -> bool:
    """Whether every element has this id, and each its own."""
    ids = {str(element.get(name) or "") for element in part if isinstance(element, dict)}
    return len(ids) == len(part) and "" not in ids


def _filled(element: Any) -> Any:
    if not isinstance(element, dict):
        return element
    return {name: value for name, value in element.items() if value not in _EMPTY}


def _without(value: Any, volatile: frozenset[str]) -> Any:
    if isinstance(value, dict):
        kept: JsonObject = {
            name: _without(item, volatile)
            for name, item in value.items()
            if name not in volatile and not name.endswith("_formatted")
        }
        return kept
    return [_without(item, volatile) for item in value] if isinstance(value, list) else value
