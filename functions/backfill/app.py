"""Call Zoho: poll for changes, walk whole lists, drain the backlog. One mode an invocation."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import gauge, logger
from tds_core.settings import Settings
from tds_core.sync import wiring

_RESERVE_S = 10.0

settings = Settings.load()
log = logger(settings.function)
backfill = wiring.Backfill(settings, gauge=gauge(settings.function))


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run the event's mode until it is done or its time is up; returns the outcomes."""
    return backfill.run(event, lambda: context.get_remaining_time_in_millis() / 1000 - _RESERVE_S)
