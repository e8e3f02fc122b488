"""Keep house every minute: dead messages driven back, old rows removed, health told."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import gauge, logger
from tds_core.settings import Settings
from tds_core.sync import wiring

settings = Settings.load()
log = logger(settings.function)
housekeeping = wiring.housekeeping(settings, gauge=gauge(settings.function))


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Run every step once; returns what was done."""
    return housekeeping.run()
