"""Which OAuth scope an endpoint of Zoho's API needs; from the security blocks of Zoho's published API files."""

from tds_core.entities import REGISTRY
from tds_core.entities.spec import EntitySpec

_PRODUCTS = {"books": "ZohoBooks", "inventory": "ZohoInventory"}


def scope_of(endpoint: str) -> str:
    """The scope that reads an endpoint such as books/invoices/{id}."""
    product, _, path = endpoint.partition("/")
    name = path.partition("/")[0]
    return f"{_PRODUCTS.get(product, product)}.{_PARTS.get((product, name), name)}.READ"


def needed() -> dict[str, EntitySpec]:
    """Every scope that the mirror needs, each with an entity whose list it reads."""
    found: dict[str, EntitySpec] = {}
    for spec in REGISTRY.values():
        found.setdefault(scope_of(f"{spec.product}{spec.path}"), spec)
    return dict(sorted(found.items()))


def _paths(spec: EntitySpec) -> list[str]:
    paths = [spec.path, *([spec.bulk.path] if spec.bulk else [])]
    return [path.strip("/").partition("/")[0] for path in paths]


_PARTS: dict[tuple[str, str], str] = {("books", "organizations"): "settings"}
_PARTS.update(
    ((spec.product, name), spec.scope or spec.path.strip("/")) for spec in REGISTRY.values() for name in _paths(spec)
)
