"""Verify the mirror against Zoho: go on with the run that is open, or open the night's."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import gauge, logger
from tds_core.settings import Settings
from tds_core.sync import wiring

_RESERVE_S = 10.0

settings = Settings.load()
log = logger(settings.function)
verify = wiring.verify(settings, gauge=gauge(settings.function))


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work until the run is over, waits, or the time is up; returns the outcomes."""
    return verify.run(lambda: context.get_remaining_time_in_millis() / 1000 - _RESERVE_S)
