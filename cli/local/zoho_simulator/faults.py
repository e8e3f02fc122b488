"""Faults on demand: how Zoho, the way to it or its data misbehave for a number of calls or with a probability."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any

KINDS: Mapping[str, str] = {
    "limit": "429 with code 44, 45 or 1070 (code)",
    "server_error": "Zoho's error envelope with a 5xx (status)",
    "html": "a page of HTML instead of JSON (status, 200 or 502)",
    "truncated": "the right answer, cut in the middle",
    "reset": "the connection is reset before any answer",
    "slow": "the answer comes late (seconds)",
    "drip": "the answer comes in small pieces (seconds in all, pieces)",
    "revoked_token": "the token in use is revoked: 401 code 57",
    "scope": "401 code 57 although the token is good",
    "token_error": "the accounts server answers HTTP 200 with an error (error)",
    "access_denied": "the accounts server answers 400 Access Denied",
    "ignored_filter": "a list ignores its filters",
    "lag": "lists and details show the state some seconds ago (seconds)",
    "moved_page": "rows are created (rows > 0) or deleted (rows < 0; oldest) before page 2 and later are read",
    "wrong_organisation": "records of another organisation",
    "not_found": "1002 for records that exist",
    "empty_page": "a page without rows and without more pages",
    "answer": "any status, headers, content_type and body; body_base64 for bytes that are no text",
}
ACCOUNTS_ONLY = frozenset({"token_error", "access_denied"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault; `times` None means without end."""

    id: int
    kind: str
    product: str = ""
    path: str = ""
    times: int | None = 1
    probability: float = 1.0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    happened: int = 0

    def concerns(self, product: str, path: str) -> bool:
        """Whether a call lies in its reach."""
        if self.kind in ACCOUNTS_ONLY:
            return product == "accounts"
        if product == "accounts" and self.product != "accounts":
            return False
        return self.product in ("", product) and (
            fnmatchcase(path, self.path) if "*" in self.path else path.startswith(self.path)
        )

    def shown(self) -> dict[str, Any]:
        """As the control interface tells it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "product": self.product,
            "path": self.path,
            "times": self.times,
            "probability": self.probability,
            **self.parameters,
            "happened": self.happened,
        }


class Faults:
    """The faults in force."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._serial = 0
        self.active: list[Fault] = []

    def add(self, given: Mapping[str, Any]) -> Fault:
        """Put one in force; raises ValueError when it is not one."""
        fields = dict(given)
        kind = str(fields.pop("kind", ""))
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}: choose one of {', '.join(KINDS)}")
        self._serial += 1
        times = fields.pop("times", 1)
        fault = Fault(
            id=self._serial,
            kind=kind,
            product=str(fields.pop("product", "")),
            path=str(fields.pop("path", "")),
            times=None if times is None else int(times),
            probability=float(fields.pop("probability", 1.0)),
            parameters=fields,
        )
        self.active.append(fault)
        return fault

    def take(self, product: str, path: str, query: Mapping[str, str]) -> dict[str, Fault]:
        """The faults that befall this call, at most one of each kind; each is counted."""
        taken: dict[str, Fault] = {}
        for fault in self.active:
            if fault.kind in taken or fault.times == 0 or not fault.concerns(product, path):
                continue
            if fault.kind == "moved_page" and query.get("page", "1") in ("", "1"):
                continue
            if fault.kind == "ignored_filter" and "last_modified_time" not in query:
                continue
            if fault.probability < 1.0 and self._random.random() >= fault.probability:
                continue
            fault.happened += 1
            fault.times = None if fault.times is None else fault.times - 1
            taken[fault.kind] = fault
        return taken

    def clear(self) -> None:
        """Everything works again."""
        self.active.clear()
