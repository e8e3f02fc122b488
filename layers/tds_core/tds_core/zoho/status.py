"""The state of budget, circuit and token, for people; read without a call to Zoho."""

from dataclasses import dataclass
from datetime import datetime

import httpx

from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.zoho.budget import Executor
from tds_core.zoho.retry import MINT_LIMIT
from tds_core.zoho.token_host import refusal_error

_ZOHO = "www.zohoapis."
_SHARED = """
    SELECT
        (SELECT coalesce(sum(permits), 0) FROM tds.api_minute
            WHERE quarter > floor(extract(epoch FROM clock_timestamp()) * 4) - 240)::int,
        (SELECT count(*) FROM tds.api_slots WHERE held_until > clock_timestamp())::int,
        c.state, c.failures, c.changed_at,
        CASE WHEN c.state <> 'closed' AND c.retry_at > clock_timestamp() THEN c.retry_at END,
        CASE WHEN t.is_held AND t.expires_at > clock_timestamp()
            THEN extract(epoch FROM clock_timestamp() - t.minted_at)::float8 END,
        CASE WHEN t.is_held AND t.expires_at > clock_timestamp()
            THEN extract(epoch FROM t.expires_at - clock_timestamp())::float8 END,
        (SELECT count(*) FROM unnest(t.mints) m WHERE m > clock_timestamp() - interval '10 minutes')::int,
        t.refusal, t.api_domain
    FROM tds.circuit c CROSS JOIN tds.token t
"""
_DAYS = """
    SELECT product, whole, CASE WHEN is_over THEN least(whole, own_left) ELSE remaining END, resets_at,
        closed AND NOT is_over, CASE WHEN is_over THEN array_fill(0, ARRAY[8]) ELSE used END,
        NOT is_over AND (closed OR tds.spare_calls(all_products, %s, whole, remaining, clock_timestamp()) < 1),
        NOT is_over AND product = 'inventory'  -- images are Inventory's
            AND (closed OR tds.spare_calls(all_products, %s, whole, remaining, clock_timestamp()) < 1)
    FROM (
        SELECT b.product, b.resets_at, b.closed, b.used, d.all_products,
            least(b.day_limit, o.day_limit) AS whole, b.resets_at <= clock_timestamp() AS is_over,
            tds.left_of_day(b, d.all_products, o.day_limit) AS remaining,
            o.day_limit - (SELECT sum(u) FROM unnest((d.all_products).used) u)::int AS own_left
        FROM tds.api_budget AS b
        CROSS JOIN (SELECT %s::int AS day_limit) AS o
        CROSS JOIN LATERAL (SELECT tds.day_of_all(b, clock_timestamp()) AS all_products) AS d
    ) AS days ORDER BY product
"""


_DAY = """
    SELECT (SELECT min(day_limit) FROM tds.api_budget),
        (SELECT time_zone FROM tds.organization ORDER BY observed_at DESC LIMIT 1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The organisation's day: its limit as the headers told it, else as it is set, and its zone likewise."""

    limit: int
    zone: str
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatus:
    """One product's day; `used` is our own calls by priority, `remaining` Zoho's own count once it told it.

    Never more than our own limit leaves, which is one for all products.

    When the day `ends_history` what is left of it is held for webhooks and polls, and the history waits for its reset;
    when Inventory's `ends_images`, what is left for both belongs to the history, while there is one, and images wait.
    """

    product: str
    limit: int
    remaining: int
    resets_at: datetime
    is_closed: bool
    used: tuple[int, ...]
    ends_history: bool
    ends_images: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ZohoStatus:
    """Everything that decides whether Zoho may be called now; ages in seconds, None without a valid token.

    `circuit_retry_at` is when the next probe may go; `token_refusal` says why there is no token and what a person
    has to do, `data_centre` that the token is of another one than ZohoApiUrl; both are None when all is well.
    """

    minute_used: int
    minute_limit: int
    in_flight: int
    in_flight_limit: int
    days: tuple[DayStatus, ...]
    circuit: str
    circuit_failures: int
    circuit_changed_at: datetime
    circuit_retry_at: datetime | None
    token_age_s: float | None
    token_expires_in_s: float | None
    token_mints: int
    token_refusal: str | None
    data_centre: str | None


def day(settings: Settings, database: Executor) -> Day:
    """What the cadence follows; of two products with different limits the smaller one counts."""
    limit, zone = database.execute(_DAY)[0]
    return Day(
        limit=min(limit or settings.day_limit, settings.day_limit),
        zone=zone or settings.zoho_time_zone,
        is_told=limit is not None,
    )


def read(settings: Settings, database: Executor) -> ZohoStatus:
    """Read it; needs neither credentials nor a client."""
    shared = database.execute(_SHARED)[0]
    days = database.execute(_DAYS, (Priority.BACKFILL, Priority.IMAGES, settings.day_limit))
    return ZohoStatus(
        minute_used=shared[0],
        minute_limit=settings.minute_limit,
        in_flight=shared[1],
        in_flight_limit=settings.in_flight_limit,
        days=tuple(
            DayStatus(
                product=day[0],
                limit=day[1],
                remaining=day[2],
                resets_at=day[3],
                is_closed=day[4],
                used=tuple(day[5]),
                ends_history=day[6],
                ends_images=day[7],
            )
            for day in days
        ),
        circuit=shared[2],
        circuit_failures=shared[3],
        circuit_changed_at=shared[4],
        circuit_retry_at=shared[5],
        token_age_s=shared[6],
        token_expires_in_s=shared[7],
        token_mints=shared[8],
        token_refusal=_refusal(shared[9], mints=shared[8], is_valid=shared[7] is not None),
        data_centre=_data_centre(settings, shared[10]),
    )


def _refusal(refusal: str | None, *, mints: int, is_valid: bool) -> str | None:
    if refusal:
        return str(refusal_error(refusal))
    if mints >= MINT_LIMIT and not is_valid:
        return f"{mints} tokens were asked for within 10 minutes and none came; it is tried again by itself"
    return None


def _data_centre(settings: Settings, api_domain: str | None) -> str | None:
    """What is wrong when the token is of one of Zoho's data centres and the calls go to another one."""
    configured = httpx.URL(settings.zoho_api_url).host
    hosts = {configured, api_domain or configured}
    if len(hosts) == 1 or not all(host.startswith(_ZOHO) for host in hosts):
        return None
    return f"the token is for {api_domain}, but ZohoApiUrl is {configured}: set it to the token's data centre"
