"""Status answers as the console gives them, with what a test cares about."""

from typing import Any


def entity(*, erp: int = 0, pending: int = 0, nulls: int = 0, totals: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "erp": erp,
        "details_pending": pending,
        "details_never_seen": pending,
        "last_modified_time": "2026-01-02T03:04:05+00:00" if erp else None,
        "synced_at": "2026-01-02T03:04:05+00:00" if erp else None,
        "freshness_s": 300,
        "nulls": nulls,
        "totals": totals or {},
    }


def requests(count: int = 0, *, due: int | None = None, parked: int = 0) -> dict[str, int]:
    return {"requests": count, "due": count - parked if due is None else due, "parked": parked, "held_ripples": 0}


def scan(*, asked: bool = False, page: int | None = None, rows: int | None = None, walked: int | None = None) -> Any:
    return {
        "changed_since": None,
        "polled_at": None,
        "walk_requested_at": "2026-01-02T03:00:00+00:00" if asked else None,
        "walk_page": page,
        "walk_rows": rows,
        "walked_at": "2026-01-02T03:00:00+00:00" if walked is not None else None,
        "walked_rows": walked,
        "touched_at": None,
        "refetched_at": None,
        "poll_error": None,
        "walk_error": None,
    }


def run(mode: str, *, started: int, ended: bool = True, error: str | None = None, calls: int = 7) -> dict[str, Any]:
    return {
        "mode": mode,
        "started_at": f"2026-01-02T03:00:{started:02}+00:00",
        "ended_at": f"2026-01-02T03:00:{started + 1:02}+00:00" if ended else None,
        "zoho_calls": calls,
        "outcomes": {"invoices.created": 3},
        "error": error,
    }


def webhooks(count: int = 0, **ways: dict[str, Any]) -> dict[str, Any]:
    never: dict[str, Any] = {"count": 0, "waiting": 0, "seconds": {}}
    return {"count": count, "applied": never, "fetched": never} | ways


def silence(*, last: str | None = None, unannounced: int = 0, missed: int = 0, hours: float = 0.0) -> dict[str, Any]:
    return {
        "last_webhook_at": last,
        "unannounced": unannounced,
        "missed_24h": missed,
        "hours": hours,
        "is_silent": hours > 4,
    }


def status(**parts: Any) -> dict[str, Any]:
    day = {
        "product": "books",
        "limit": 10_000,
        "remaining": 9_000,
        "resets_at": "2026-01-02T21:00:00+00:00",
        "is_closed": False,
        "used": [0] * 8,
        "ends_history": False,
        "ends_images": False,
    }
    zoho = {
        "minute_used": 12,
        "minute_limit": 90,
        "in_flight": 1,
        "in_flight_limit": 5,
        "days": [day],
        "circuit": "closed",
        "circuit_failures": 0,
        "circuit_changed_at": "2026-01-02T03:00:00+00:00",
        "circuit_retry_at": None,
        "token_age_s": 60.0,
        "token_expires_in_s": 3_540.0,
        "token_mints": 1,
        "token_refusal": None,
        "data_centre": None,
    }
    whole: dict[str, Any] = {
        "time_zone": "Asia/Baghdad",
        "verdict": {"level": "good", "text": "Yes: the ERP is equal to Zoho", "reasons": []},
        "entities": {"invoices": entity()},
        "images": {"expected": 0, "stored": 0, "linked": 0},
        "backlog": {},
        "scans": {},
        "organization": None,
        "webhooks": webhooks(),
        "silence": {"invoices": silence()},
        "outcomes": {},
        "outbox": {"waiting": 0, "age_s": 0.0},
        "working": [],
        "runs": [],
        "days_without_failure": 0,
        "without_failure": {"days": 0, "mode": None, "started_at": None, "error": None},
        "zoho": zoho,
    }
    return whole | parts
