"""The paths that calls can have, so that a fault which concerns none of them is noticed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from cli.local.zoho_simulator.faults import Fault
from cli.local.zoho_simulator.records import EntitySpec

ANY = "*"
SETTINGS = ("/organizations", "/organizations/*", "/settings/currencies", "/settings/taxes", "/settings/roles")


def patterns(specs: Iterable[EntitySpec[Any]]) -> Iterator[tuple[str, str]]:
    """Product and path of every kind of call, `*` for an id."""
    yield "accounts", "/oauth/v2/token"
    for product in ("books", "inventory"):
        yield from ((product, path) for path in SETTINGS)
    for spec in specs:
        names = ["", f"/{ANY}", *(f"/{name}" for name in spec.beside)]
        names += [f"/{ANY}/{name}{further}" for name in spec.below for further in ("", f"/{ANY}")]
        for product in spec.scopes:
            yield from ((product, f"/{spec.path}{name}") for name in names)
            if spec.bulk is not None:
                yield product, f"/{spec.bulk[0]}"


def hint(fault: Fault, specs: Iterable[EntitySpec[Any]]) -> str:
    """What to know when a fault concerns no call that there can be; empty when all is well."""
    known = list(patterns(specs))
    general = replace(fault, path=re.sub(r"(?<=/)\d+", ANY, fault.path))
    if any(general.concerns(product, path) for product, path in known):
        return ""
    bare = re.sub(r"^/?(books/v3|inventory/v1)?/?", "/", fault.path)
    near = get_close_matches(bare, sorted({path for _, path in known}), cutoff=0.5) or ["/invoices", "/invoices/*"]
    product = f" of {fault.product}" if fault.product else ""
    return f"no call{product} has the path {fault.path}; paths look like {', '.join(near)}"
