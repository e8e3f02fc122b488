"""Which OAuth scope an endpoint of Zoho's API needs; from the security blocks of Zoho's published API files."""

_PRODUCTS = {"books": "ZohoBooks", "inventory": "ZohoInventory"}
_SETTINGS = frozenset({"users", "pricebooks", "locations", "organizations", "taxes", "currencies"})
_PARTS = {"itemdetails": "items"}


def scope_of(endpoint: str) -> str:
    """The scope that reads an endpoint such as books/invoices/{id}; Books has no scope of its own for items."""
    product, _, path = endpoint.partition("/")
    name = path.partition("/")[0]
    part = _PARTS.get(name, name)
    if part in _SETTINGS or (product, part) == ("books", "items"):
        part = "settings"
    return f"{_PRODUCTS.get(product, product)}.{part}.READ"
