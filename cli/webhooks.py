"""Zoho's webhooks as staff set them up: which rule posts where, what Zoho's limits allow, and whether each one arrives.

Limits: https://www.zoho.com/books/kb/automation/number-of-workflows.html, and what is never announced:
https://www.zoho.com/books/kb/automation/cases-where-workflow-is-not-executed.html
"""

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cli.failure import CommandFailed
from cli.times import moment
from tds_core.entities import REGISTRY
from tds_core.zoho.routes import EVENTS, ROUTES

METHOD = "POST"
BODY = "Default Payload (application/json)"
RULES_PER_MODULE = 10
WEBHOOKS_PER_RULE = 1
WEBHOOKS_A_DAY = 1_000
TAKEN = "12 to 50 letters and digits"
NOT_EXECUTED = ("imports", "custom functions", "records that another Zoho app synchronised")

_SECRET = re.compile(r"[A-Za-z0-9]{12,50}")
_LOOK_S = 1.0
_PRODUCTS = {"books": "Zoho Books", "inventory": "Zoho Inventory"}
_EVENTS = {"created": "Created", "updated": "Edited", "deleted": "Deleted"}
Ask = Callable[[str, Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One workflow rule with its webhook; `app` is the product whose records the mirror follows for this module.

    Whether a deletion's body names the record is not known, so its address ends with a `parameter` to which a
    placeholder of Zoho's is to be added; where it is left empty, the body alone counts.
    """

    module: str
    event: str
    zoho_module: str
    zoho_event: str
    app: str
    url: str
    parameter: str = ""
    method: str = METHOD
    body: str = BODY

    @property
    def address(self) -> str:
        """As the mirror tells where a webhook came in."""
        return f"{self.module}/{self.event}"


def rules(api_url: str) -> list[Rule]:
    """The rules that bring every change that Zoho can announce."""
    return [
        Rule(
            module=route.module,
            event=event,
            zoho_module=route.title,
            zoho_event=_EVENTS[event],
            app=_PRODUCTS[REGISTRY[route.entities[0]].product],
            url=f"{api_url}/webhooks/zoho/{route.module}/{event}" + (f"?{parameter}=" if parameter else ""),
            parameter=parameter,
        )
        for route in ROUTES.values()
        if route.title
        for event in EVENTS
        for parameter in (route.id_key if event == "deleted" else "",)
    ]


def unannounced() -> list[str]:
    """The entities that Zoho has no webhooks for."""
    return [name for name, spec in REGISTRY.items() if not spec.webhook_modules]


def fits(secret: str) -> bool:
    """Whether Zoho takes this secret."""
    return bool(_SECRET.fullmatch(secret))


def suffices(load: Mapping[str, Any]) -> bool | None:
    """Whether the busiest day's changes stay within what Zoho sends a day; None while no change is known."""
    return int(load["busiest"]) <= WEBHOOKS_A_DAY if load["busiest"] else None


def plan(rules: Sequence[Rule], load: Mapping[str, Any], *, secret: str, is_shown: bool) -> dict[str, Any]:
    """The whole setup for scripts; `secret` is told only if it is to be shown."""
    per_module = max(sum(one.module == rule.module for one in rules) for rule in rules)
    return {
        "ok": fits(secret),
        "webhooks": [asdict(rule) for rule in rules],
        "secret": secret if is_shown else None,
        "secret_fits": fits(secret),
        "limits": {
            "rules_per_module": RULES_PER_MODULE,
            "rules_needed_per_module": per_module,
            "webhooks_per_rule": WEBHOOKS_PER_RULE,
            "webhooks_a_day": WEBHOOKS_A_DAY,
        },
        "load": {**load, "suffices": suffices(load)},
        "never_announced": {"entities": unannounced(), "changes": list(NOT_EXECUTED)},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """What arrived at one address since the listening began."""

    address: str
    is_wanted: bool
    count: int = 0
    first_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Every address with what arrived there, and what is still waited for."""

    ears: tuple[Ear, ...]
    missing: tuple[str, ...]
    time_zone: str = "UTC"

    @property
    def is_over(self) -> bool:
        """Whether everything that was waited for has arrived."""
        return not self.missing


def wanted(names: Collection[str]) -> tuple[str, ...]:
    """Modules (`invoices`) or addresses (`invoices/updated`) to wait for; without names every module with a rule.

    Raises CommandFailed for what is neither.
    """
    known = {*ROUTES, *(f"{module}/{event}" for module in ROUTES for event in EVENTS)}
    for name in names:
        if name not in known:
            raise CommandFailed(f"no webhook {name!r}: MODULE or MODULE/EVENT, of {', '.join(ROUTES)}")
    return tuple(dict.fromkeys(names)) or tuple(route.module for route in ROUTES.values() if route.title)


def listen(
    ask: Ask,
    names: Sequence[str],
    *,
    timeout_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Heard]:
    """What was heard so far, about once a second, until nothing is missing or the time is over."""
    began = ask("webhooks", {})["now"]
    started_s = clock()
    while True:
        told = ask("webhooks", {"since": began})
        heard = replace(_heard(names, told["heard"]), time_zone=told["time_zone"])
        yield heard
        if not heard.missing or clock() - started_s >= timeout_s:
            return
        sleep(_LOOK_S)


def advice(
    heard: Heard, *, queued: Mapping[str, int], dead: Mapping[str, int], silence: Mapping[str, Any]
) -> list[str]:
    """What to look at when webhooks are missing, the likeliest first."""
    if not heard.missing:
        return []
    said = []
    if dead.get("Unrouted"):
        said.append(
            f"{dead['Unrouted']} signed webhooks could not be understood; their bodies are in the unrouted bucket"
        )
    if waiting := ", ".join(f"{name} {count}" for name, count in queued.items()):
        said.append(f"messages wait to be processed ({waiting}): look at the processors' logs and at PostgreSQL")
    if not any(ear.count for ear in heard.ears):
        said.append(
            "nothing came at all: in Zoho, Settings > Automation > Workflow Logs tells what it sent and how that was "
            "answered. 401: the secret differs. 403 or 404: the address is another than `tds webhook urls` says. "
            "Nothing sent: no rule is active, or the day's webhooks are spent"
        )
    else:
        said.append(
            f"nothing of {', '.join(heard.missing)} came: compare its rules with `tds webhook urls`, and see Settings "
            "> Automation > Workflow Logs in the app in which the record was changed"
        )
    last = {
        name: silence[entity]["last_webhook_at"]
        for name in heard.missing
        for entity in ROUTES[name.partition("/")[0]].entities
        if silence.get(entity, {}).get("last_webhook_at")
    }
    said += [f"the last webhook for {name} came at {moment(at, heard.time_zone)}" for name, at in last.items()]
    return said


def _heard(names: Sequence[str], arrived: Mapping[str, Any]) -> Heard:
    modules = {name.partition("/")[0] for name in names}
    addresses = [f"{module}/{event}" for module in ROUTES if module in modules for event in EVENTS]
    addresses += [address for address in arrived if address not in addresses]
    ears = tuple(
        Ear(
            address=address,
            is_wanted=any(_covers(name, address) for name in names),
            count=arrived.get(address, {}).get("count", 0),
            first_at=arrived.get(address, {}).get("first_at"),
        )
        for address in addresses
    )
    missing = tuple(name for name in names if not any(_covers(name, ear.address) for ear in ears if ear.count))
    return Heard(ears=ears, missing=missing)


def _covers(name: str, address: str) -> bool:
    return address == name or address.partition("/")[0] == name
