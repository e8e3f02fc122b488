"""Every setting a function takes from its environment, read and checked once at its start.

A frozen dataclass, not a pydantic model: the receiver must start in tens of milliseconds.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self

from tds_core.errors import ConfigurationError

_PREFIX = "TDS_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One function's configuration; the field `minute_limit` is the variable TDS_MINUTE_LIMIT.

    A field without a default in the environment stays "" or its default; `require` refuses the empty ones.
    """

    # where and who
    function: str = "unnamed"
    entity: str = ""
    backfill_function: str = ""
    webhook_receiver_function: str = ""
    schedules: str = ""
    alarm_topics: str = ""
    verification_function: str = ""

    # PostgreSQL
    database_host: str = ""
    database_port: int = 5432
    database_name: str = "tds"
    database_sslmode: str = "verify-full"
    database_ca_file: str = ""
    database_secret_arn: str = ""
    database_owner_secret_arn: str = ""
    database_reader_secret_arn: str = ""

    # Zoho
    zoho_api_url: str = ""
    zoho_accounts_url: str = ""
    zoho_secret_arn: str = ""
    zoho_organization_id: str = ""
    zoho_time_zone: str = "Asia/Baghdad"

    # the call budget and the circuit breaker
    minute_limit: int = 90
    in_flight_limit: int = 5
    day_limit: int = 10_000
    breaker_failures: int = 5
    breaker_requests: int = 3
    breaker_open_s: float = 60.0
    call_deadline_s: float = 45.0

    # change detection, drain and walk
    overlap_s: float = 600.0
    ripple_hold_s: float = 60.0
    # 0 = by the table of sync/cadence.py
    poll_interval_s: float = 0.0
    slow_poll_interval_s: float = 0.0
    stock_interval_s: float = 0.0
    contacts_walk_interval_s: float = 0.0
    prices_interval_s: float = 0.0
    daily_interval_s: float = 0.0
    deep_walk_nights: int = 0
    work_s: float = 55.0
    backoff_base_s: float = 60.0
    lag_retry_s: float = 60.0
    lease_s: float = 120.0
    deletion_floor: int = 5
    deletion_share: float = 0.02

    # verification
    verification_margin_s: float = 120.0
    announced_within_s: float = 30.0
    verification_fetches: int = 500
    verification_share: float = 0.05
    drift_alarm_ratio: float = 0.01
    stock_alarm_units: float = 50.0
    critical_topic_arn: str = ""
    warning_topic_arn: str = ""

    # webhooks and queues
    webhook_secret_arn: str = ""
    unrouted_queue_url: str = ""
    unrouted_bucket: str = ""
    message_limit_bytes: int = 1_000_000
    body_limit_bytes: int = 4 * 1024 * 1024
    webhook_silence_hours: float = 4.0
    oldest_message_alarm_s: float = 30.0
    visibility_base_s: int = 60
    visibility_limit_s: int = 900
    redrive_base_s: float = 900.0
    queue_url: str = ""
    dead_letter_queue_url: str = ""
    failed_runs_queue_url: str = ""
    queue_urls: tuple[tuple[str, str], ...] = ()

    # product images
    image_queue_url: str = ""
    image_bucket: str = ""
    image_distribution_id: str = ""
    image_base_url: str = ""

    # events
    event_bus: str = ""

    # the status page
    viewer_secret_arn: str = ""
    operator_secret_arn: str = ""

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the TDS_ variables.

        Raises ConfigurationError naming a variable whose text does not fit its type.
        """
        environment = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = environment.get(_PREFIX + field.name.upper(), "")
            if text and field.name != "queue_urls":
                assert field.default is not MISSING
                values[field.name] = _parse(field.name, text, like=field.default)
        values["entity"] = snake_case(values.get("entity", ""))
        # names, because the addresses of all queues would not fit into a function's environment of 4 KB
        beside = values.get("unrouted_queue_url", "").rpartition("/")[0]
        values["queue_urls"] = tuple(
            (snake_case(name.removeprefix(_PREFIX + "QUEUE_NAME_")), f"{beside}/{queue}" if queue else "")
            for name, queue in sorted(environment.items())
            if name.startswith(_PREFIX + "QUEUE_NAME_")
        )
        return cls(**values)

    def require(self, *names: str) -> Self:
        """Return the settings; raises ConfigurationError if one of the named is empty."""
        missing = [_PREFIX + name.upper() for name in names if not getattr(self, name)]
        if missing:
            raise ConfigurationError(f"missing settings: {', '.join(missing)}")
        return self


def snake_case(name: str) -> str:
    """SalesOrders becomes sales_orders: the template's ids cannot hold an underscore."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _parse(name: str, text: str, *, like: Any) -> Any:
    try:
        return type(like)(text)
    except ValueError as exc:
        raise ConfigurationError(f"{_PREFIX}{name.upper()} is not a {type(like).__name__}") from exc
