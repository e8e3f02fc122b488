"""Answer the `tds` command."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tds_core.observability import logger
from tds_core.settings import Settings
from tds_core.sync import wiring

settings = Settings.load()
log = logger(settings.function)
console = wiring.console(settings)


@log.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run one command."""
    return console.handle(event)
